package encryption_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/rewardflow/rewardflow/internal/encryption"
)

// TestFailuresAreEncrypted: neither the message nor the stack of an error, nor
// those of its causes, nor its details are stored in clear; whoever has the key
// reads them.
func TestFailuresAreEncrypted(t *testing.T) {
	t.Parallel()

	options := encryption.Apply(client.Options{}, ring(t, "a", key(t, "a", 1)))
	cause := errors.New("canary-cause")
	failure := options.FailureConverter.ErrorToFailure(temporal.NewApplicationErrorWithCause("canary-message", "kind", cause, "canary-details"))
	stored := failure.String()
	require.Contains(t, stored, "kind", "the type of an error is what retry policies go by")
	require.NotContains(t, stored, "canary")

	other := encryption.Apply(client.Options{}, ring(t, "b", key(t, "b", 2)))
	require.NotContains(t, other.FailureConverter.FailureToError(failure).Error(), "canary")

	err := options.FailureConverter.FailureToError(failure)
	require.ErrorContains(t, err, "canary-message")
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	var details string
	require.NoError(t, app.Details(&details))
	require.Equal(t, "canary-details", details)
	require.ErrorContains(t, errors.Unwrap(app), "canary-cause")
}

func TestApplyWithoutARingEncryptsNothing(t *testing.T) {
	t.Parallel()

	options := encryption.Apply(client.Options{Namespace: "n"}, nil)
	require.Equal(t, "n", options.Namespace)
	mine, err := options.DataConverter.ToPayloads("a word", 3)
	require.NoError(t, err)
	plain, err := converter.GetDefaultDataConverter().ToPayloads("a word", 3)
	require.NoError(t, err)
	require.True(t, proto.Equal(plain, mine))
	failure := options.FailureConverter.ErrorToFailure(temporal.NewApplicationError("a message", "kind"))
	require.Equal(t, "a message", failure.GetMessage())
}

// TestAMissingKeyMakesAWorkflowWait: inside a workflow what cannot be decrypted
// panics, which fails the task and not the workflow; anywhere else it is an error.
func TestAMissingKeyMakesAWorkflowWait(t *testing.T) {
	t.Parallel()

	with := func(id string, b byte) converter.DataConverter {
		return encryption.NewDataConverter(converter.GetDefaultDataConverter(), ring(t, id, key(t, id, b)))
	}
	sealed, err := with("a", 1).ToPayloads("canary")
	require.NoError(t, err)
	for name, outside := range map[string]converter.DataConverter{
		"another key": with("b", 2),
		"no keys":     encryption.NewDataConverter(converter.GetDefaultDataConverter(), nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			requireWaits(t, outside, sealed)
		})
	}
}

func requireWaits(t *testing.T, outside converter.DataConverter, sealed *commonpb.Payloads) {
	t.Helper()
	var got string
	require.ErrorContains(t, outside.FromPayloads(sealed, &got), `"a"`)

	aware, ok := outside.(workflow.ContextAware)
	require.True(t, ok)
	inside := aware.WithWorkflowContext(nil)
	inside = converter.WithDataConverterSerializationContext(inside, converter.WorkflowSerializationContext{Namespace: "n", WorkflowID: "w"})
	for name, read := range map[string]func(){
		"all": func() { _ = inside.FromPayloads(sealed, &got) },
		"one": func() { _ = inside.FromPayload(sealed.GetPayloads()[0], &got) },
	} {
		said := func() (said string) {
			defer func() { said, _ = recover().(string) }()
			read()
			return ""
		}()
		require.Contains(t, said, `the key "a"`, name)
		require.NotContains(t, said, "canary", name)
	}

	plain, err := converter.GetDefaultDataConverter().ToPayloads("not a number")
	require.NoError(t, err)
	var number int
	require.Error(t, inside.FromPayloads(plain, &number), "what is wrong with the content itself is an error, as ever")
	require.False(t, strings.Contains(got, "canary"))
}
