package payout

import (
	"strings"
	"unicode"
)

// maxSaid is how many characters of a provider's words are kept, and maxWord
// how many bytes a word may have before it looks like a token.
const (
	maxSaid = 200
	maxWord = 48
)

// PlainWords makes a provider's words safe to store and show: email addresses,
// links and anything that looks like a token become "[...]", white space and
// what cannot be printed a blank, and what is beyond 200 characters "...". The
// text is stored for years.
func PlainWords(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	for i, word := range words {
		if !IsPlainWord(word) {
			words[i] = "[...]"
		}
	}
	runes := []rune(strings.Join(words, " "))
	if len(runes) > maxSaid {
		runes = append(runes[:maxSaid], []rune("...")...)
	}
	return string(runes)
}

// IsPlainWord reports whether PlainWords keeps the word.
func IsPlainWord(word string) bool {
	return len(word) <= maxWord && !strings.ContainsAny(word, `@\`) && !strings.Contains(word, "://") &&
		(!strings.Contains(word, "/") || !strings.Contains(word, "."))
}
