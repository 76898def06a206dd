package api

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// The lists that have pages. A cursor begins with its list, so that one of
// another list is none.
const (
	rewardList = "r"
	payoutList = "p"
	eventList  = "e"
)

// placeCursor names the place behind a row in a list that is ordered by time and
// number. It is opaque to callers: the list, milliseconds and number today.
func placeCursor(list string, at time.Time, number int64) string {
	place := list + strconv.FormatInt(at.UnixMilli(), 10) + "." + strconv.FormatInt(number, 10)
	return base64.RawURLEncoding.EncodeToString([]byte(place))
}

// parsePlace is the inverse of placeCursor; zero for no cursor.
func parsePlace(list, cursor string) (time.Time, int64, error) {
	if cursor == "" {
		return time.Time{}, 0, nil
	}
	unusable := invalid(`the query parameter "cursor" is not one that a page named as its next`)
	place, err := base64.RawURLEncoding.DecodeString(cursor)
	text, ours := strings.CutPrefix(string(place), list)
	if err != nil || !ours {
		return time.Time{}, 0, unusable
	}
	at, of, _ := strings.Cut(text, ".")
	millis, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return time.Time{}, 0, unusable
	}
	number, err := strconv.ParseUint(of, 10, 63)
	if err != nil || number == 0 {
		return time.Time{}, 0, unusable
	}
	return time.UnixMilli(millis).UTC(), int64(number), nil
}
