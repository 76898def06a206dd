// Package suggest finds the known name that a mistyped one was probably meant
// to be, for messages that say "did you mean".
package suggest

// Nearest returns the known name with the fewest edits (insert, delete,
// replace one character) from name. It returns the empty string when nothing
// is near: one edit in a name of up to three characters, two in a longer one,
// and in a long one a quarter of it, up to six. Of equally near names the first
// wins.
func Nearest(name string, known []string) string {
	most := min(max(2, len(name)/4), 6)
	if len(name) <= 3 {
		most = 1
	}
	best, fewest := "", most+1
	for _, candidate := range known {
		if d := distance(name, candidate); d < fewest && d < len(candidate) {
			best, fewest = candidate, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes, kept in one row.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
