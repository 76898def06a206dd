package email

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
)

// notSent classifies a failure before the message itself was sent.
func notSent(ctx context.Context, what string, err error) error {
	if refusal := refused(what, err); refusal != nil {
		return refusal
	}
	// The library has no error of its own for this one.
	if strings.Contains(err.Error(), "does not support STARTTLS") {
		return fault.Wrap(fault.Unavailable, op,
			what+": the mail server offers no STARTTLS, and nothing is sent unprotected (tls: implicit or none are the others)", err)
	}
	if strings.Contains(err.Error(), "SMTP AUTH") {
		return fault.Wrap(fault.Denied, op, what+": the mail server offers no way to sign in that is safe", err)
	}
	return fault.Wrap(fault.Unavailable, op, what+": "+reason(ctx, err), err)
}

// reason says what happened without an address.
func reason(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		// The connection was closed because the try is over.
		return egress.Reason(ctx.Err())
	}
	return egress.Reason(err)
}

// refused classifies an answer of the mail server by its code; nil when there
// was none. The server's own words stay out: they quote addresses.
// Codes: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3 and, for signing
// in, https://www.rfc-editor.org/rfc/rfc4954#section-6.
func refused(what string, err error) error {
	answer, ok := errors.AsType[*textproto.Error](err)
	if !ok || answer.Code < 400 || answer.Code > 599 {
		return nil
	}
	enhanced := enhancedCode(answer.Msg)
	words := fmt.Sprintf("%s (SMTP %d)", what, answer.Code)
	if enhanced != "" {
		words = fmt.Sprintf("%s (SMTP %d %s)", what, answer.Code, enhanced)
	}
	return fault.Wrap(kindOf(answer.Code, enhanced), op, words, err)
}

func kindOf(code int, enhanced string) fault.Kind {
	switch code {
	case 452:
		return fault.Throttled
	case 530, 534, 535, 538:
		return fault.Denied
	}
	switch {
	case strings.HasPrefix(enhanced, "4.7."):
		return fault.Throttled // Greylisting and limits.
	case strings.HasPrefix(enhanced, "5.7."):
		return fault.Denied // Policy: this sender may not do this.
	case code < 500:
		return fault.Unavailable
	}
	return fault.Declined
}

// enhancedCode returns the code at the beginning of a reply's text
// (https://www.rfc-editor.org/rfc/rfc3463); empty for none.
func enhancedCode(text string) string {
	return regexp.MustCompile(`^[45]\.\d{1,3}\.\d{1,3}\b`).FindString(text)
}
