package mutant

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryMutantIsPlanted holds the list to the code: each is asked for somewhere, and each that is asked for is listed.
func TestEveryMutantIsPlanted(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("names.go")
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, dir := range []string{"processor", "projections", "fsm", "eventstore", "internal/admission"} {
		files, err := filepath.Glob(filepath.Join("..", "..", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, f := range files {
			source, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`mutant\.On\(mutant\.(\w+)\)`).FindAllSubmatch(source, -1) {
				asked[string(m[1])] = true
			}
		}
	}
	listed := regexp.MustCompile(`(?m)^\t(\w+) +Name = "([a-z-]+)"$`).FindAllSubmatch(text, -1)
	if len(listed) != len(All()) || len(listed) < 32 {
		t.Errorf("%d names, %d in All; there were 32, and docs/proof.md says so", len(listed), len(All()))
	}
	for _, l := range listed {
		if !asked[string(l[1])] {
			t.Errorf("%s is planted nowhere", l[1])
		}
		if _, ok := Named(Name(l[2])); !ok {
			t.Errorf("%s is not in All", l[2])
		}
		delete(asked, string(l[1]))
	}
	for name := range asked {
		t.Errorf("%s is planted and not listed", name)
	}
}

// TestReleaseHasNoMutant builds the program with and without the tag and looks for the names.
func TestReleaseHasNoMutant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tags := range []string{"", "mutants"} {
		path := filepath.Join(dir, "hongbao"+tags)
		out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", tags, "-o", path, "hongbao/cmd/hongbao").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		program, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range All() {
			// The linker lays strings out by length, so a name stands in a row of others.
			if has := bytes.Contains(program, []byte(m.Name)); has != (tags != "") {
				t.Errorf("tags %q: the program has %q: %v", tags, m.Name, has)
			}
		}
		if has := strings.Contains(string(program), "HONGBAO_MUTANT"); has != (tags != "") {
			t.Errorf("tags %q: the program reads HONGBAO_MUTANT: %v", tags, has)
		}
	}
}
