package mutant

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTable holds the table of docs/proof.md to All: the same planted bugs in the same order, and what a quick run chooses by is what was last measured.
func TestTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "proof.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| mutant | what is wrong | rule | focus | oracle | seeds | s |\n")
	if !found {
		t.Fatal("docs/proof.md has no table of planted bugs")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(strings.TrimSpace(table), "\n")[1:] // behind the line below the titles
	if len(rows) != len(All()) {
		t.Errorf("the table has %d planted bugs, names.go has %d", len(rows), len(All()))
	}
	oracle := regexp.MustCompile(`^I([1-9]|10)( I([1-9]|10))*$`)
	for i, m := range All()[:min(len(rows), len(All()))] {
		cells := strings.Split(strings.Trim(rows[i], "|"), "|")
		if len(cells) != 7 {
			t.Errorf("row %d has %d cells: %s", i, len(cells), rows[i])
			continue
		}
		for j, want := range []string{"`" + string(m.Name) + "`", m.Does, m.Rule, m.Focus, "", strconv.Itoa(m.Seeds)} {
			if got := strings.TrimSpace(cells[j]); j != 4 && got != want {
				t.Errorf("row %d, cell %d: the table says %q, names.go %q", i, j, got, want)
			}
		}
		if got := strings.TrimSpace(cells[4]); !oracle.MatchString(got) {
			t.Errorf("row %d: %q names no oracle", i, got)
		}
	}
}
