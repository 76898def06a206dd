// Package codecserver decrypts what the Temporal UI shows, and encrypts what is
// typed into it, for people who may see and do that. It speaks the protocol of
// Temporal's remote codecs (https://docs.temporal.io/codec-server): POST /decode
// and POST /encode, with payloads as JSON.
//
// A browser may ask from the pages of one origin, the Temporal UI's, and from no
// other. Everybody, browser or not, has to be somebody: who that is says package
// identity, by an operator's token, a session of the console, or an access token
// that the Temporal UI passes on.
package codecserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	"go.temporal.io/sdk/converter"

	"github.com/rewardflow/rewardflow/internal/encryption"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
)

// MaxBody is how many bytes a request may bring: two of Temporal's largest
// payloads (2 MB, https://docs.temporal.io/cloud/limits), in base64.
const MaxBody = 6 << 20

// Config describes a codec server. Every field but Logger is required.
type Config struct {
	Ring *encryption.Ring
	// Identify says who sent a request; its errors are those of
	// identity.Authenticator.
	Identify func(r *http.Request) (identity.Principal, error)
	// Origin is the Temporal UI's, as a browser sends it: scheme, host and port.
	Origin string
	// Logger hears who had how much decrypted; nil discards it.
	Logger *slog.Logger
}

// server answers the requests.
type server struct {
	cfg   Config
	codec http.Handler
}

// New returns the handler.
func New(cfg Config) (http.Handler, error) {
	if cfg.Ring == nil || cfg.Identify == nil || cfg.Origin == "" {
		return nil, errors.New("setting up the codec server: the key ring, who may come in, or the Temporal UI's origin is missing")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &server{cfg: cfg, codec: converter.NewPayloadCodecHTTPHandler(encryption.NewCodec(cfg.Ring))}
	mux := http.NewServeMux()
	// Reading is for everybody who may read in the console, which shows more than
	// histories hold. What is encrypted here is sent to workflows: that is what
	// operators do.
	mux.Handle("/decode", s.route(identity.Reads))
	mux.Handle("/encode", s.route(identity.Operates))
	// For health checks. It tells nothing.
	alive := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /readyz", alive)
	return secure(mux), nil
}

// secure has browsers make nothing of an answer but what it is.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// route answers at one of the two paths, for callers with one of the roles.
func (s *server) route(access identity.Access) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.originAllowed(w, r) {
			refuse(w, http.StatusForbidden, "only pages of the Temporal UI that encryption.codec_server.ui_origin names may ask")
			return
		}
		switch r.Method {
		case http.MethodOptions:
			s.preflight(w, r)
		case http.MethodPost:
			s.answer(w, r, access)
		default:
			w.Header().Set("Allow", "OPTIONS, POST")
			refuse(w, http.StatusMethodNotAllowed, "payloads are sent by POST")
		}
	})
}

// originAllowed reports whether the page that makes a browser ask may do so, and
// lets it see the answer then. Programs, such as Temporal's command line, send no
// Origin; browsers send it with every POST.
func (s *server) originAllowed(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Add("Vary", "Origin")
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		// A browser that says nothing of the page says where it stands to us.
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "" || site == "none"
	}
	if len(origins) > 1 || origins[0] != s.cfg.Origin {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", s.cfg.Origin)
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	return true
}

// preflight tells a browser what the Temporal UI may send.
func (s *server) preflight(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != "" {
		h := w.Header()
		h.Set("Access-Control-Allow-Methods", http.MethodPost)
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Namespace")
		h.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}

// answer identifies the caller, and has the payloads changed.
func (s *server) answer(w http.ResponseWriter, r *http.Request, access identity.Access) {
	who, err := s.cfg.Identify(r)
	if err != nil {
		s.turnAway(w, r, err)
		return
	}
	if !access.Allows(who.Roles) {
		s.log(r, slog.LevelWarn, "codec.refused", who, http.StatusForbidden)
		refuse(w, http.StatusForbidden, access.Missing())
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			refuse(w, http.StatusRequestEntityTooLarge, "the payloads are longer than "+strconv.Itoa(MaxBody)+" bytes")
			return
		}
		refuse(w, http.StatusBadRequest, "the body broke off")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	s.codec.ServeHTTP(seen, r)
	s.log(r, slog.LevelInfo, "codec.answered", who, seen.status)
}

// turnAway answers somebody who is not known.
func (s *server) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	refusal, ok := errors.AsType[*identity.Refusal](err)
	if !ok {
		s.cfg.Logger.ErrorContext(r.Context(), "codec.identity_unknown", slog.String("error", err.Error()))
		message := "who you are cannot be found out just now: try again in a moment"
		if fault.Is(err, fault.Unavailable) {
			message = fault.Message(err)
		}
		refuse(w, http.StatusServiceUnavailable, message)
		return
	}
	status := http.StatusUnauthorized
	if refusal.Code == identity.CodeTooMany {
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
	} else {
		w.Header().Set("WWW-Authenticate", `Bearer realm="rewardflow"`)
	}
	s.log(r, slog.LevelWarn, "codec.refused", identity.Principal{}, status)
	refuse(w, status, refusal.Message)
}

// log writes who asked for what. The path is one of two, and nothing else of the
// request is repeated.
func (s *server) log(r *http.Request, level slog.Level, event string, who identity.Principal, status int) {
	attrs := []slog.Attr{slog.String("path", r.URL.Path), slog.Int("status", status)}
	if who.Name != "" {
		attrs = append(attrs, slog.String("principal", who.Name), slog.String("method", string(who.Method)))
	}
	s.cfg.Logger.LogAttrs(r.Context(), level, event, attrs...)
}

// refuse answers in words.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
