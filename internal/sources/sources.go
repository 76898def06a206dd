// Package sources changes copies of the module's own sources, for programs that
// break it on purpose and look who sees it.
package sources

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Edit replaces a text that stands in a file exactly once.
type Edit struct{ Old, New string }

// Apply returns the text of a file with the edits made one after the other, and
// with the imports that it needs in addition. What does not fit the file is an
// error, which numbers the edits from 1.
func Apply(file, text string, edits []Edit, imports []string) (string, error) {
	for i, e := range edits {
		switch n := strings.Count(text, e.Old); {
		case e.Old == "" || e.Old == e.New:
			return "", fmt.Errorf("edit %d changes nothing", i+1)
		case n == 0:
			return "", fmt.Errorf("the old text of edit %d no longer stands in %s: bring the mutant up to date", i+1, file)
		case n > 1:
			return "", fmt.Errorf("the old text of edit %d stands %d times in %s: take more of the lines around it", i+1, n, file)
		}
		text = strings.Replace(text, e.Old, e.New, 1)
	}
	const block = "import (\n"
	for _, path := range imports {
		if !strings.Contains(text, block) {
			return "", fmt.Errorf("%s has no block of imports to add %s to", file, path)
		}
		text = strings.Replace(text, block, block+"\t\""+path+"\"\n", 1)
	}
	return text, nil
}

// Root returns the directory of the nearest go.mod, from the working directory up.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("there is no go.mod here or above: run it inside the repository")
		}
		dir = parent
	}
}
