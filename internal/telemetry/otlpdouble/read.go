package otlpdouble

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Span is a span as it stands in the file.
type Span struct {
	TraceID string
	SpanID  string
	// ParentID is empty for the root of a trace.
	ParentID string
	Name     string
	// Kind is OTLP's number: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
	Kind       int
	Start, End time.Time
	Attributes map[string]string
	Links      []Link
	// Failed says that the span's status is an error, and Status what it says.
	Failed bool
	Status string
	// Service is the service.name of the process.
	Service string
}

// Link leads from a span to another one, most often of another trace.
type Link struct{ TraceID, SpanID string }

// The parts of OTLP's JSON that Spans reads.
type (
	request struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes []keyValue }
			ScopeSpans []struct{ Spans []span }
		}
	}
	span struct {
		TraceID           string
		SpanID            string
		ParentSpanID      string
		Name              string
		Kind              int
		StartTimeUnixNano string
		EndTimeUnixNano   string
		Attributes        []keyValue
		Links             []Link
		Status            struct {
			Code    int
			Message string
		}
	}
	keyValue struct {
		Key   string
		Value map[string]any
	}
)

// Spans reads every span out of the file, in the order in which they came. A
// file that is not there yet has none.
func (c *Collector) Spans() ([]Span, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ReadSpans(filepath.Join(c.dir, TracesFile))
}

// ReadSpans reads a file of traces.
func ReadSpans(path string) ([]Span, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var spans []Span
	for line := range bytes.Lines(content) {
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, err
		}
		for _, of := range r.ResourceSpans {
			service := plain(of.Resource.Attributes)["service.name"]
			for _, scope := range of.ScopeSpans {
				for _, s := range scope.Spans {
					spans = append(spans, s.read(service))
				}
			}
		}
	}
	return spans, nil
}

func (s span) read(service string) Span {
	return Span{
		TraceID: s.TraceID, SpanID: s.SpanID, ParentID: s.ParentSpanID, Name: s.Name, Kind: s.Kind,
		Start: nanos(s.StartTimeUnixNano), End: nanos(s.EndTimeUnixNano),
		Attributes: plain(s.Attributes), Links: s.Links,
		Failed: s.Status.Code == 2, Status: s.Status.Message, Service: service,
	}
}

func nanos(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// plain makes text of values: what they hold is compared with words.
func plain(attributes []keyValue) map[string]string {
	values := make(map[string]string, len(attributes))
	for _, a := range attributes {
		for _, v := range a.Value {
			switch v := v.(type) {
			case string:
				values[a.Key] = v
			default:
				if text, err := json.Marshal(v); err == nil {
					values[a.Key] = string(text)
				}
			}
		}
	}
	return values
}
