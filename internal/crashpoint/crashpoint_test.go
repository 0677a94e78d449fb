package crashpoint

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// TestLabelsStandInTheCode holds the table to the code, both ways, and each label to one place (K1).
func TestLabelsStandInTheCode(t *testing.T) {
	t.Parallel()
	hit := regexp.MustCompile(`crashpoint\.Hit\(([^)]*)\)`)
	places := map[string]int{}
	for _, room := range []string{"cmd", "processor", "eventstore", "fsm", "projections", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, room), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || filepath.Base(filepath.Dir(path)) == "crashpoint" {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range hit.FindAllSubmatch(text, -1) {
				name, quoted := strings.CutPrefix(string(m[1]), `"`)
				if !quoted {
					t.Errorf("%s: %s is no constant", path, m[0])
				}
				places[strings.TrimSuffix(name, `"`)]++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var listed []string
	for _, l := range Labels() {
		listed = append(listed, l.Name)
		if places[l.Name] != 1 {
			t.Errorf("label %s stands at %d places, want 1", l.Name, places[l.Name])
		}
		if l.Where == "" {
			t.Errorf("label %s says nothing", l.Name)
		}
	}
	for name := range places {
		if !slices.Contains(listed, name) {
			t.Errorf("label %s is not in Labels", name)
		}
	}
	if len(listed) < 73 {
		t.Errorf("%d labels; there were 73, and docs/proof.md says so", len(listed))
	}
}

// TestReleaseHasNoLabel builds the program with and without the tag: a release holds no label, a build for crashes holds each.
func TestReleaseHasNoLabel(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"", "crashpoints"} {
		program := filepath.Join(t.TempDir(), "hongbao")
		build := exec.CommandContext(t.Context(), "go", "build", "-tags", tag, "-o", program, "./cmd/hongbao")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build with tag %q: %v\n%s", tag, err, out)
		}
		text, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range Labels() {
			if got, want := bytes.Contains(text, []byte(l.Name)), tag != ""; got != want {
				t.Errorf("built with tag %q: label %s is in the program: %v", tag, l.Name, got)
			}
		}
	}
}
