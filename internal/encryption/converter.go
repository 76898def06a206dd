package encryption

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Apply has a Temporal client encrypt everything that it sends in payloads:
// arguments and results, the messages and stacks of failures, summaries and
// details. Every process and program on the same namespace needs the same ring.
// With a nil ring it encrypts nothing, and what others encrypted makes its
// workflows wait, as NewDataConverter says.
//
// What is not a payload stays readable: IDs and types of workflows, names of
// task queues, signals, updates and activities, and search attributes.
func Apply(options client.Options, ring *Ring) client.Options {
	parent := options.DataConverter
	if parent == nil {
		parent = converter.GetDefaultDataConverter()
	}
	dc := NewDataConverter(parent, ring)
	options.DataConverter = dc
	options.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: dc, EncodeCommonAttributes: ring != nil,
	})
	return options
}

// NewDataConverter returns a converter that encrypts what parent makes; with a nil
// ring it encrypts nothing.
//
// Inside a workflow, something that cannot be decrypted panics. A panic fails
// the workflow task, which Temporal tries again for as long as it takes, so that
// the workflow goes on when the key is back. An error would reach the workflow's
// code as the failure of an activity, or end the workflow where it is about the
// workflow's own input.
func NewDataConverter(parent converter.DataConverter, ring *Ring) converter.DataConverter {
	return patient{DataConverter: converter.NewCodecDataConverter(parent, NewCodec(ring.orEmpty()))}
}

// patient knows whether it is used by a workflow.
type patient struct {
	converter.DataConverter

	inWorkflow bool
}

var (
	_ workflow.ContextAware                           = patient{}
	_ converter.DataConverterWithSerializationContext = patient{}
)

// WithWorkflowContext implements workflow.ContextAware.
func (p patient) WithWorkflowContext(workflow.Context) converter.DataConverter {
	return patient{DataConverter: p.DataConverter, inWorkflow: true}
}

// WithContext implements workflow.ContextAware.
func (p patient) WithContext(context.Context) converter.DataConverter { return p }

// WithSerializationContext implements converter.DataConverterWithSerializationContext.
func (p patient) WithSerializationContext(sc converter.SerializationContext) converter.DataConverter {
	return patient{DataConverter: converter.WithDataConverterSerializationContext(p.DataConverter, sc), inWorkflow: p.inWorkflow}
}

// FromPayload implements converter.DataConverter.
func (p patient) FromPayload(payload *commonpb.Payload, valuePtr any) error {
	return p.wait(p.DataConverter.FromPayload(payload, valuePtr))
}

// FromPayloads implements converter.DataConverter.
func (p patient) FromPayloads(payloads *commonpb.Payloads, valuePtrs ...any) error {
	return p.wait(p.DataConverter.FromPayloads(payloads, valuePtrs...))
}

// wait panics with what is about the keys, inside a workflow.
func (p patient) wait(err error) error {
	if failure, ok := AsFailure(err); ok && p.inWorkflow {
		panic("rewardflow waits: " + failure.Error())
	}
	return err
}
