package main

import (
	"strings"
	"testing"
)

func TestTally(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		events  string
		summary string
		shows   []string
		hides   []string
	}{
		"tests and subtests count alike": {
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"quiet\n"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: no cascades here\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"skip","Package":"p","Test":"TestC"}
{"Action":"pass","Package":"p","Elapsed":0.5}
`,
			summary: "2 passed, 0 failed, 2 skipped",
			shows:   []string{"ok    p  0.50s\n", "skip  p TestB: no cascades here\n", "skip  p TestC: no reason given\n"},
			hides:   []string{"quiet"},
		},
		"a failed test shows its output": {
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"want 1, got 2\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Elapsed":1}
`,
			summary: "0 passed, 1 failed, 0 skipped",
			shows:   []string{"want 1, got 2\n", "FAIL  p  1.00s\n"},
		},
		"a package that does not build is one failure": {
			events: `{"ImportPath":"p [p.test]","Action":"build-output","Output":"./x.go:1:1: syntax error\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}
`,
			summary: "0 passed, 1 failed, 0 skipped",
			shows:   []string{"syntax error", "build failed"},
		},
		"a process that dies shows what its running test said": {
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"last words\n"}
{"Action":"fail","Package":"p"}
`,
			summary: "0 passed, 1 failed, 0 skipped",
			shows:   []string{"last words"},
		},
		"a test that talks without end is cut at its beginning": {
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"first words\n"}
` + strings.Repeat(`{"Action":"output","Package":"p","Test":"TestA","Output":"blah\n"}
`, keptBytes/2) + `{"Action":"output","Package":"p","Test":"TestA","Output":"last words\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
`,
			summary: "0 passed, 1 failed, 0 skipped",
			shows:   []string{"left out", "last words"},
			hides:   []string{"first words"},
		},
		"plain text of the go command passes through": {
			events:  "go: updates to go.mod needed\n",
			summary: "0 passed, 0 failed, 0 skipped",
			shows:   []string{"go: updates to go.mod needed\n"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			tally := newTally(&out)
			if err := tally.read(strings.NewReader(test.events)); err != nil {
				t.Fatal(err)
			}
			if got := tally.summary(); got != test.summary {
				t.Errorf("summary: got %q, want %q", got, test.summary)
			}
			for _, want := range test.shows {
				if !strings.Contains(out.String(), want) {
					t.Errorf("output lacks %q:\n%s", want, out.String())
				}
			}
			for _, hidden := range test.hides {
				if strings.Contains(out.String(), hidden) {
					t.Errorf("output shows %q of a passed test:\n%s", hidden, out.String())
				}
			}
		})
	}
}
