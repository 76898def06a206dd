package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// enough is the share of a licence file's words, in percent, that have to be of
// licences that are known. The rest is names, copyright lines and headings.
const enough = 80

// none is SPDX's word for a module of which nobody has said a licence.
const none = "NONE"

// allowed are the licences, by their SPDX identifiers, under which something may
// be in a program that is given away under the Apache License 2.0.
func allowed() []string {
	return []string{
		"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-2-Clause-Views", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0",
		"MPL-2.0", "Unlicense", "Zlib", "blessing",
	}
}

// licenceFile tells a licence by its name: LICENSE, LICENCE.md, COPYING,
// LICENSE-MIT, MIT-LICENSE.txt, UNLICENSE. What stands beside another file, as
// go.sum.license does, is about that file.
var licenceFile = regexp.MustCompile(`(?i)^(?:un)?licen[cs]es?(?:[-_.].*)?$|^copy(?:ing|right)(?:[-_.].*)?$|^[a-z0-9]+[-_]licen[cs]e(?:\.(?:txt|md))?$`)

// spdxHeader is a line of a source file that names its licence
// (https://spdx.dev/learn/handling-license-info/).
var spdxHeader = regexp.MustCompile(`SPDX-License-Identifier:\s*([^\r\n*]+)`)

// licence is under what a module may be used.
type licence struct {
	// ids are SPDX identifiers, sorted; all of them hold, each for a part.
	ids []string
	// notes are what a person found out where no program could.
	notes []string
	// texts are the licence files, in the order in which they were found.
	texts []text
}

// text is one licence file, named as it stands below its module's root.
type text struct{ file, content string }

// judge reads the licences of a module, from every licence file between its root
// and its linked packages, and from the heads of their source files. What it
// does not know, or what is not allowed, is an error that names the file.
func (j *judgements) judge(m module) (licence, error) {
	var l licence
	var errs []error
	for _, dir := range m.dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return licence{}, fmt.Errorf("looking for the licence of %s %s: %w", m.path, m.version, err)
		}
		for _, entry := range entries {
			if entry.IsDir() || !licenceFile.MatchString(entry.Name()) || isSource(entry.Name()) {
				continue
			}
			one, err := j.read(m, filepath.Join(dir, entry.Name()))
			errs = append(errs, err)
			l.ids, l.notes, l.texts = append(l.ids, one.ids...), append(l.notes, one.notes...), append(l.texts, one.texts...)
		}
	}
	if len(l.texts) == 0 && errors.Join(errs...) == nil {
		lack, err := j.missing(m)
		errs = append(errs, err)
		l = lack
	}
	ids, err := headers(m)
	errs = append(errs, err)
	l.ids = append(l.ids, ids...)
	slices.Sort(l.ids)
	l.ids = slices.Compact(l.ids)
	for _, id := range l.ids {
		if id != none && !slices.Contains(allowed(), id) {
			errs = append(errs, fmt.Errorf("%s %s is under %s, which rewardflow may not hold without somebody's decision: replace the module, or add the licence to allowed()", m.path, m.version, id))
		}
	}
	return l, errors.Join(errs...)
}

func isSource(name string) bool {
	return slices.Contains([]string{".go", ".sh", ".py", ".js"}, filepath.Ext(name))
}

// read says which licences a file holds the text of.
func (j *judgements) read(m module, file string) (licence, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return licence{}, fmt.Errorf("reading the licence of %s %s: %w", m.path, m.version, err)
	}
	name, err := filepath.Rel(m.dir, file)
	if err != nil {
		return licence{}, fmt.Errorf("reading the licence of %s %s: %w", m.path, m.version, err)
	}
	name = filepath.ToSlash(name)
	l := licence{texts: []text{{file: name, content: string(content)}}}
	if known, ok := j.of(m, name); ok {
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != known.sha256 {
			return licence{}, fmt.Errorf("%s %s: %s is not the text that judged() is about (its SHA-256 is %x): read it, and correct or delete the judgement", m.path, m.version, name, sum)
		}
		l.ids, l.notes = known.ids, []string{known.why}
		return l, nil
	}
	found := licensecheck.Scan(content)
	for _, match := range found.Match {
		if !match.IsURL { // A link alone grants nothing.
			l.ids = append(l.ids, match.ID)
		}
	}
	if len(l.ids) == 0 || found.Percent < enough {
		return licence{}, fmt.Errorf("%s %s: %s is no licence that is known (%.0f %% of it is): read it, and add what it says to judged()", m.path, m.version, name, found.Percent)
	}
	return l, nil
}

// missing returns what is known of a module that has no licence file.
func (j *judgements) missing(m module) (licence, error) {
	known, ok := j.of(m, "")
	switch {
	case !ok:
		return licence{}, fmt.Errorf("%s %s has no licence file: ask its authors, or replace it, and add what you find to judged()", m.path, m.version)
	case known.version != m.version:
		return licence{}, fmt.Errorf("%s has no licence file, and what judged() says is about %s, not %s: look whether it still holds", m.path, known.version, m.version)
	}
	return licence{ids: known.ids, notes: []string{known.why}}, nil
}

// headers returns the licences that the module's linked source files name.
func headers(m module) ([]string, error) {
	var ids []string
	for _, name := range m.files {
		head, err := headOf(name)
		if err != nil {
			return nil, fmt.Errorf("reading the sources of %s %s: %w", m.path, m.version, err)
		}
		match := spdxHeader.FindSubmatch(head)
		if match == nil {
			continue
		}
		expression := strings.TrimSpace(string(match[1]))
		if slices.Contains(ids, expression) {
			continue
		}
		if strings.ContainsAny(expression, "()") || strings.Contains(expression, " OR ") || strings.Contains(expression, " WITH ") {
			return nil, fmt.Errorf("%s %s: %s is under %q, which this command does not understand", m.path, m.version, filepath.Base(name), expression)
		}
		ids = append(ids, strings.Split(expression, " AND ")...)
	}
	return ids, nil
}

// headOf returns the first 4 KiB of a file.
func headOf(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var head bytes.Buffer
	_, err = io.CopyN(&head, file, 4<<10)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return head.Bytes(), err
}
