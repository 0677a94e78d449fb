package main

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A citation may break over two lines of a comment.
var (
	citesDomain  = regexp.MustCompile(`domain\.md(?:\s|//|#)+sections?(?:\s|//|#)+(\d+)(?:(?:\s|//|#)*(?:,|to|and)(?:\s|//|#)*(\d+))?`)
	namesDomain  = regexp.MustCompile(`domain\.md`)
	domainHead   = regexp.MustCompile(`(?m)^## (\d+)\. `)
	otherPage    = regexp.MustCompile(`\b(?:design|speed)\.md\b`)
	citingEnding = []string{".go", ".md", ".txt", ".lua", ".yml", ".yaml", ".proto", ""}
)

// TestDocsSectionsExist: "domain.md section n", wherever it is cited, is a section of docs/domain.md, and no page is cited that is not there.
func TestDocsSectionsExist(t *testing.T) {
	t.Parallel()
	sections := map[string]bool{}
	for _, head := range domainHead.FindAllStringSubmatch(readFile(t, root+"docs/domain.md"), -1) {
		sections[head[1]] = true
	}
	cited := 0
	eachSource(t, func(path, text string) {
		found := citesDomain.FindAllStringSubmatch(text, -1)
		if len(found) < len(namesDomain.FindAllString(text, -1)) && filepath.Ext(path) == ".go" {
			t.Errorf("%s: a citation of domain.md names no section", path)
		}
		for _, at := range found {
			cited++
			for _, n := range at[1:] {
				if n != "" && !sections[n] {
					t.Errorf("%s: %q: docs/domain.md has no section %s", path, at[0], n)
				}
			}
		}
		if page := otherPage.FindString(text); page != "" {
			t.Errorf("%s cites %s, which is not there", path, page)
		}
	})
	if cited < 60 {
		t.Errorf("only %d citations found: has their form changed?", cited)
	}
}

// eachSource calls fn with every text of the repository but this file, which has the patterns themselves.
func eachSource(t *testing.T, fn func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "bin" || name == "invitepb"):
			return fs.SkipDir // .local is a running broker's too: its files come and go
		case !entry.Type().IsRegular() || name == "docs_domain_test.go" || !slices.Contains(citingEnding, filepath.Ext(name)):
			return nil
		}
		fn(strings.TrimPrefix(filepath.ToSlash(path), root), readFile(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
