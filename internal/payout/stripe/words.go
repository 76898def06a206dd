package stripe

import (
	"strings"
	"unicode"

	stripego "github.com/stripe/stripe-go/v86"
)

// maxSaid is how many characters of Stripe's words are kept, and maxWord how
// long a word may be before it looks like a token.
const (
	maxSaid = 240
	maxWord = 40
)

// said adds to our words what Stripe says: code, parameter, message, and the
// request's ID, by which the Dashboard finds it.
func said(words string, e *stripego.Error) string {
	var more []string
	for _, part := range []string{string(e.Code), param(e.Param), e.Msg, e.RequestID} {
		if part = plain(part); part != "" {
			more = append(more, part)
		}
	}
	if len(more) == 0 {
		return words
	}
	return words + ": " + strings.Join(more, "; ")
}

func param(name string) string {
	if name == "" {
		return ""
	}
	return "parameter " + name
}

// plain keeps plain words. E-mail addresses, links, keys and anything that
// looks like a token are left out: the text is stored for years.
func plain(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	for i, word := range words {
		if !plainWord(word) {
			words[i] = "[...]"
		}
	}
	runes := []rune(strings.Join(words, " "))
	if len(runes) > maxSaid {
		runes = append(runes[:maxSaid], []rune("...")...)
	}
	return string(runes)
}

func plainWord(word string) bool {
	for _, mark := range []string{"@", "/", "sk_", "rk_", "pk_", "whsec_"} {
		if strings.Contains(word, mark) {
			return false
		}
	}
	return len(word) <= maxWord
}
