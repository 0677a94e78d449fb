package main

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"hongbao/internal/telemetry"
	"hongbao/internal/topiclog"
	"hongbao/internal/verify"
)

// TestDocsJSON: docs/operating.md has every name of the answers whose --help does not list them.
func TestDocsJSON(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(readFile(t, root+"docs/operating.md"), "\n## JSON\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for command, answers := range map[string][]any{
		"verify":  {verify.Report{}, verify.PartitionReport{}, verify.Broken{}},
		"demo":    {demoAnswer{}, demoInviter{}},
		"load":    {loadAnswer{}},
		"health":  {telemetry.Answer{}, telemetry.Finding{}},
		"topics":  {topicsAnswer{}, topiclog.Finding{}},
		"config":  {settingAnswer{}},
		"version": {versionAnswer{}},
	} {
		row := regexp.MustCompile("(?m)^\\| `" + command + "` \\|.*$").FindString(section)
		for _, answer := range answers {
			for name := range jsonNames(reflect.TypeOf(answer)) {
				if !strings.Contains(row, "`"+name+"`") {
					t.Errorf("docs/operating.md, JSON: %s answers %q, which its row does not have", command, name)
				}
			}
		}
	}
}

func jsonNames(of reflect.Type) map[string]bool {
	names := map[string]bool{}
	for field := range of.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names[name] = true
		}
	}
	return names
}

// TestDocsCounts: docs/proof.md counts the planted bugs and the labels as the code does.
func TestDocsCounts(t *testing.T) {
	t.Parallel()
	page := readFile(t, root+"docs/proof.md")
	for _, of := range []struct{ file, declared, sentence string }{
		{"internal/mutant/names.go", `(?m)^\t\w+ +Name = "[a-z-]+"$`, "names %d bugs"},
		{"internal/crashpoint/labels.go", `(?m)^\t+\{"[a-z0-9.-]+",`, "at %d labelled places"},
	} {
		n := len(regexp.MustCompile(of.declared).FindAllString(readFile(t, root+of.file), -1))
		if want := fmt.Sprintf(of.sentence, n); n == 0 || !strings.Contains(page, want) {
			t.Errorf("docs/proof.md does not say %q, and %s has %d", want, of.file, n)
		}
	}
}
