package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tiny is a module with one promise and a test that keeps it.
const tiny = `package tiny

import (
	"fmt"
)

// Key is made from the ID alone.
func Key(id int) string {
	return fmt.Sprint("rf_", id)
}
`

const tinyTest = `package tiny

import (
	"testing"
	"time"
)

func TestKey(t *testing.T) {
	t.Run("is short", func(t *testing.T) {
		began := time.Now()
		if Key(1) != "rf_1" {
			t.Fatal("panic: is only said here", time.Since(began))
		}
	})
}

func TestIdle(t *testing.T) { _ = Key }

func TestSkipped(t *testing.T) { t.Skip("not here") }
`

// header names what the mutants of the tiny module have in common.
const header = "promise: a key is stable\nfile: tiny.go\ntest: . TestKey/is_short\n"

// edited is a mutant that replaces the one line that matters.
func edited(header, line string) string {
	return header + "-- old --\n\treturn fmt.Sprint(\"rf_\", id)\n-- new --\n" + line + "\n"
}

// module writes the tiny module with its mutants, by name, and returns its
// root.
func module(t *testing.T, mutants map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{"go.mod": "module tiny\n\ngo 1.26\n", "tiny.go": tiny, "tiny_test.go": tinyTest}
	for name, text := range mutants {
		files[catalogue+"/"+name+".txtar"] = strings.ReplaceAll(text, "test: . ", "test: ./ ")
	}
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return root
}

// tried runs the mutants of the tiny module, and returns the report and
// whether all were caught.
func tried(t *testing.T, mutants map[string]string) (string, bool) {
	t.Helper()
	root := module(t, mutants)
	before := contents(t, root)
	loaded, err := load(root, regexp.MustCompile(""))
	require.NoError(t, err)
	tester := tester{root: root, timeout: 2 * time.Second}
	require.NoError(t, tester.clean(t.Context(), loaded))
	var text bytes.Buffer
	caught := report(&text, loaded, tester.tryAll(t.Context(), loaded, 2))
	require.Equal(t, before, contents(t, root), "the tree is as it was")
	return text.String(), caught
}

// contents returns every file below root.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		files[name] = string(text)
		return err
	}))
	return files
}

func TestAMutantThatATestSeesIsCaught(t *testing.T) {
	t.Parallel()

	text, caught := tried(t, map[string]string{
		"random-key": edited(header+"import: math/rand\n", "\treturn fmt.Sprint(\"rf_\", id, rand.Int())"),
	})
	require.True(t, caught, text)
	require.Regexp(t, `(?m)^random-key +a key is stable +TestKey/is_short +[0-9.]+$`, text)
	require.Contains(t, text, "1 of 1 mutants caught")
}

func TestWhatIsNotCaughtIsSaid(t *testing.T) {
	t.Parallel()

	text, caught := tried(t, map[string]string{
		"harmless":  edited(header, "\treturn \"rf_\" + fmt.Sprint(id)"),
		"half-seen": edited(header+"test: . TestIdle\n", "\treturn fmt.Sprint(\"rf_\", id+1)"),
		"broken":    edited(header, "\treturn fmt.Sprint(\"rf_\", nobody)"),
		"panics":    edited(header, "\tpanic(fmt.Sprint(id))"),
		"hangs":     edited(header, "\tselect {}\n\treturn fmt.Sprint(id)"),
		"seen":      edited(header, "\treturn fmt.Sprint(\"rf_\", id+1)"),
	})
	require.False(t, caught)
	for name, said := range map[string]struct{ trouble, words string }{
		"harmless":  {"SURVIVED", `\./ TestKey/is_short passes all the same`},
		"half-seen": {"SURVIVED", `\./ TestIdle passes all the same`},
		"broken":    {"does not compile", `(?s).*undefined: nobody`},
		"panics":    {"panicked", `panic: 1`},
		"hangs":     {"timed out", `panic: test timed out after 2s`},
	} {
		require.Regexp(t, `(?m)^`+name+` +a key is stable +not caught: `+said.trouble+` +[0-9.]+$`, text)
		require.Regexp(t, `\n`+name+`, `+said.trouble+`:\n    `+said.words, text)
	}
	require.Contains(t, text, "1 of 6 mutants caught")
}

// A mutant whose text no longer fits is an error before anything is tried.
func TestAMutantThatDoesNotFitIsAnError(t *testing.T) {
	t.Parallel()

	const old, anew = "-- old --\n\treturn fmt.Sprint(\"rf_\", id)\n", "-- new --\n\treturn \"\"\n"
	for name, c := range map[string]struct{ text, words string }{
		"rotten":         {header + "-- old --\n\treturn fmt.Sprintln(id)\n" + anew, "no longer stands in tiny.go"},
		"ambiguous":      {header + "-- old --\n)\n" + anew, "stands 2 times in tiny.go"},
		"idle":           {header + old + strings.Replace(old, "old", "new", 1), "changes nothing"},
		"no old text":    {header + "-- old --\n" + anew, "changes nothing"},
		"no file":        {strings.Replace(header, "tiny.go", "large.go", 1) + old + anew, "large.go"},
		"no sections":    {header, "sections old and new"},
		"half a pair":    {header + old, "in pairs"},
		"new comes late": {header + anew + old, `"old" was to come`},
		"no promise":     {"file: tiny.go\ntest: . TestKey\n" + old + anew, "promise, file and test"},
		"unknown key":    {header + "tset: . TestKey\n" + old + anew, `"tset" is not a key`},
		"no package":     {"promise: p\nfile: tiny.go\ntest: TestKey\n" + old + anew, "not a package and the name of one test"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := load(module(t, map[string]string{"fits": edited(header, ""), "broken": c.text}), regexp.MustCompile(""))
			require.ErrorContains(t, err, "broken: ")
			require.ErrorContains(t, err, c.words)
			require.NotContains(t, err.Error(), "fits: ")
		})
	}
}

// A test that is gone, or that fails by itself, catches nothing.
func TestTestsMustBeThereAndPassWithoutAMutant(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct{ test, words string }{
		"a test that is gone":    {"TestRenamed", "no test TestRenamed"},
		"a subtest that is gone": {"TestKey/is_long", "no test TestKey/is_long"},
		"a test that is skipped": {"TestSkipped", "no test TestSkipped, or it was skipped"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			root := module(t, map[string]string{"m": edited(strings.Replace(header, "TestKey/is_short", c.test, 1), "\treturn fmt.Sprint(id)")})
			mutants, err := load(root, regexp.MustCompile(""))
			require.NoError(t, err)
			require.ErrorContains(t, tester{root: root, timeout: time.Minute}.clean(t.Context(), mutants), c.words)
		})
	}
	t.Run("a test that fails by itself", func(t *testing.T) {
		t.Parallel()

		root := module(t, map[string]string{"m": edited(header, "\treturn fmt.Sprint(id)")})
		broken := strings.Replace(tiny, `"rf_", id`, `"fr_", id`, 1)
		mutants, err := load(root, regexp.MustCompile(""))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, "tiny.go"), []byte(broken), 0o600))
		require.ErrorContains(t, tester{root: root, timeout: time.Minute}.clean(t.Context(), mutants), "fail without any mutant")
	})
}

// The catalogue of this repository fits it. Whether each mutant is caught is
// for CI to see: it takes minutes.
func TestTheCatalogueFits(t *testing.T) {
	t.Parallel()

	var stdout, stderr bytes.Buffer
	require.Equal(t, exitCaught, run(t.Context(), []string{"-list"}, &stdout, &stderr), stderr.String())
	require.Contains(t, stdout.String(), "./internal/payout TestKeyIsWireFormat")
}

func TestFlagsAreChecked(t *testing.T) {
	t.Parallel()

	for _, args := range [][]string{{"-run", "("}, {"key"}, {"-jobs", "0"}, {"-timeout", "0s"}, {"-x"}} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, exitUsage, run(t.Context(), args, &stdout, &stderr), args)
		require.NotEmpty(t, stderr.String())
	}
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitSurvived, run(t.Context(), []string{"-run", "^no-such-mutant$"}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "no mutant of "+catalogue+" matches")
}

func TestARunThatIsInterruptedCatchesNothing(t *testing.T) {
	t.Parallel()

	root := module(t, map[string]string{"m": edited(header, "\treturn fmt.Sprint(id)")})
	mutants, err := load(root, regexp.MustCompile(""))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tester := tester{root: root, timeout: time.Minute}
	require.ErrorIs(t, tester.clean(ctx, mutants), context.Canceled)
	var text bytes.Buffer
	require.False(t, report(&text, mutants, tester.tryAll(ctx, mutants, 1)))
	require.Contains(t, text.String(), "not caught: not tried")
}
