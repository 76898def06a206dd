package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// texts are whole licences.
func texts(t *testing.T) (apache, zero string) {
	t.Helper()
	a, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	require.NoError(t, err)
	z, err := os.ReadFile(filepath.Join(root, "api", "console", "static", "LICENSE-htmx"))
	require.NoError(t, err)
	return string(a), string(z)
}

func TestLicences(t *testing.T) {
	t.Parallel()

	apache, zero := texts(t)
	const gpl = "This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License as published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version."
	for name, c := range map[string]struct {
		files map[string]string
		ids   []string
		fails string
	}{
		"one":                             {files: map[string]string{"LICENSE": apache}, ids: []string{"Apache-2.0"}},
		"by another name":                 {files: map[string]string{"Licence.md": zero}, ids: []string{"0BSD"}},
		"two files":                       {files: map[string]string{"LICENSE-APACHE": apache, "COPYING": zero}, ids: []string{"0BSD", "Apache-2.0"}},
		"two in one file":                 {files: map[string]string{"LICENSE": apache + "\n\n" + zero}, ids: []string{"0BSD", "Apache-2.0"}},
		"another one for a package":       {files: map[string]string{"LICENSE": apache, "inside/LICENSE": zero}, ids: []string{"0BSD", "Apache-2.0"}},
		"another one above a package":     {files: map[string]string{"LICENSE": apache, "between/LICENSE": zero}, ids: []string{"0BSD", "Apache-2.0"}},
		"of a package that is not linked": {files: map[string]string{"LICENSE": apache, "elsewhere/LICENSE": "mine"}, ids: []string{"Apache-2.0"}},
		"a source file of its own":        {files: map[string]string{"LICENSE": apache, "x.go": "// SPDX-License-Identifier: BSD-3-Clause AND MIT\n"}, ids: []string{"Apache-2.0", "BSD-3-Clause", "MIT"}},
		"sources about licences":          {files: map[string]string{"LICENSE": apache, "license.go": "package x", "go.sum.license": "x"}, ids: []string{"Apache-2.0"}},

		"none":                        {files: map[string]string{"README": "under the MIT licence"}, fails: "example.com/m v1.0.0 has no licence file"},
		"none but of a package":       {files: map[string]string{"elsewhere/LICENSE": apache}, fails: "example.com/m v1.0.0 has no licence file"},
		"words":                       {files: map[string]string{"LICENSE": "Ask me."}, fails: "LICENSE is no licence that is known (0 % of it is)"},
		"a link only":                 {files: map[string]string{"LICENSE": "https://www.apache.org/licenses/LICENSE-2.0"}, fails: "LICENSE is no licence that is known"},
		"a licence and more than it":  {files: map[string]string{"LICENSE": zero + strings.Repeat("But everything else is forbidden to everybody. ", 20)}, fails: "LICENSE is no licence that is known"},
		"a good one and an odd one":   {files: map[string]string{"LICENSE": apache, "LICENSE-more": "Ask me."}, fails: "LICENSE-more is no licence that is known"},
		"a forbidden one":             {files: map[string]string{"LICENSE": gpl}, fails: "example.com/m v1.0.0 is under GPL-3.0"},
		"a forbidden one in a source": {files: map[string]string{"LICENSE": apache, "x.go": "/* SPDX-License-Identifier: GPL-2.0-only */\n"}, fails: "is under GPL-2.0-only, which rewardflow may not hold"},
		"a choice in a source":        {files: map[string]string{"LICENSE": apache, "x.go": "// SPDX-License-Identifier: MIT OR GPL-2.0-only\n"}, fails: `x.go is under "MIT OR GPL-2.0-only", which this command does not understand`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			l, err := newJudgements(nil).judge(planted(t, c.files))
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.ids, l.ids)
			require.Empty(t, l.notes)
			for _, one := range l.texts {
				require.Equal(t, c.files[one.file], one.content)
			}
		})
	}
}

// planted is a module of which a package in its root and between/inside are
// linked.
func planted(t *testing.T, files map[string]string) module {
	t.Helper()
	all := map[string]string{"inside/x.go": "package x\n", "between/inside/x.go": "package x\n"}
	for name, content := range files {
		all[name] = content
	}
	m := module{path: "example.com/m", version: "v1.0.0", dir: plant(t, all)}
	for _, dir := range []string{".", "between", "between/inside", "inside"} {
		m.dirs = append(m.dirs, filepath.Join(m.dir, dir))
	}
	for name := range all {
		if strings.HasSuffix(name, ".go") {
			m.files = append(m.files, filepath.Join(m.dir, name))
		}
	}
	return m
}

func TestJudgements(t *testing.T) {
	t.Parallel()

	const odd = "Do what you like."
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(odd)))
	about := judgement{module: "example.com/m", file: "LICENSE", sha256: sum, ids: []string{"Unlicense"}, why: "It says so."}
	lack := judgement{module: "example.com/m", version: "v1.0.0", ids: []string{none}, why: "Nobody said."}
	for name, c := range map[string]struct {
		known []judgement
		text  string
		ids   []string
		notes []string
		fails string
	}{
		"of the file":           {known: []judgement{about}, text: odd, ids: []string{"Unlicense"}, notes: []string{"It says so."}},
		"of another text":       {known: []judgement{about}, text: odd + " Almost.", fails: "LICENSE is not the text that"},
		"of the lack":           {known: []judgement{lack}, ids: []string{none}, notes: []string{"Nobody said."}},
		"of another version":    {known: []judgement{{module: lack.module, version: "v0.9.0", ids: lack.ids}}, fails: "is about v0.9.0, not v1.0.0"},
		"of nothing any more":   {known: []judgement{{module: "example.com/gone", version: "v1.0.0"}, about}, text: odd, fails: "the lack of a licence file of example.com/gone, which is in no program any more: delete it"},
		"of a lack that ended":  {known: []judgement{lack, about}, text: odd, fails: "the lack of a licence file of example.com/m"},
		"of a forbidden one":    {known: []judgement{{module: about.module, file: about.file, sha256: sum, ids: []string{"AGPL-3.0"}}}, text: odd, fails: "is under AGPL-3.0"},
		"of a module elsewhere": {known: []judgement{{module: "example.com/n", file: about.file, sha256: sum, ids: about.ids}}, text: odd, fails: "LICENSE is no licence that is known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			files := map[string]string{}
			if c.text != "" {
				files["LICENSE"] = c.text
			}
			known := newJudgements(c.known)
			l, err := known.judge(planted(t, files))
			if err == nil {
				err = known.stale()
			}
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.ids, l.ids)
			require.Equal(t, c.notes, l.notes)
		})
	}
}
