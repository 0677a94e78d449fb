package cascade

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// makeZip writes entries given as name, text, name, text ...
func makeZip(t testing.TB, entries ...string) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.Create(entries[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(entries[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

// TestReadTranscript reads the trees of testdata/cascade/read; a line "== name" begins an entry.
func TestReadTranscript(t *testing.T) {
	t.Parallel()
	datadriven.RunTest(t, "../../testdata/cascade/read", func(t *testing.T, d *datadriven.TestData) string {
		input := d.Input + "\n"
		if !strings.HasPrefix(input, "== ") {
			input = "== tree.txt\n" + input
		}
		var entries []string
		for _, part := range strings.Split("\n"+input, "\n== ")[1:] {
			name, text, _ := strings.Cut(part, "\n")
			entries = append(entries, name, text)
		}
		r := makeZip(t, entries...)
		cascades, err := Read(r, r.Size())
		if err != nil {
			return err.Error() + "\n"
		}
		var b strings.Builder
		for _, c := range cascades {
			fmt.Fprintf(&b, "%s: root %d, %d joins, span %d ms\n", c.Name, c.Root(), c.Joins(), c.SpanMS())
			for _, n := range c.Nodes {
				fmt.Fprintf(&b, "  %s%d at %d ms\n", strings.Repeat("  ", int(n.Depth)), n.ID, n.AtMS)
			}
		}
		return b.String()
	})
}

// TestZipRoundTrip: what WriteZip writes, Read reads.
func TestZipRoundTrip(t *testing.T) {
	t.Parallel()
	shape := Fitted()
	want := shape.Grow(11, 20, 3000)
	want[0].Nodes[1].AtMS = 1 // more digits than the real data has
	var b, again bytes.Buffer
	if err := errors.Join(WriteZip(&b, want), WriteZip(&again, want)); err != nil {
		t.Fatal(err)
	}
	got, err := Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("the cascades read are not those written")
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("the same cascades gave different zips (K4)")
	}
}

func TestReadRefusals(t *testing.T) {
	t.Parallel()
	if _, err := ReadZip(t.TempDir() + "/absent.zip"); err == nil || !strings.Contains(err.Error(), "absent.zip") {
		t.Errorf("error %v, want one that names absent.zip", err)
	}
	if _, err := Read(strings.NewReader("no zip"), 6); !errors.Is(err, zip.ErrFormat) {
		t.Errorf("error %v, want zip.ErrFormat", err)
	}
	tree := "raiz: ['1','0.0']->['ROOT','0.0']\nreply: ['2','1.0']->['1','0.0']\n"
	if _, err := readTree("a.txt", strings.NewReader(tree), 1); err == nil || !strings.Contains(err.Error(), "at most 20000000 nodes") {
		t.Errorf("error %v, want one about the number of nodes", err)
	}
	_, err := readTree("a.txt", strings.NewReader(tree+strings.Repeat("x", maxLineBytes)), 9)
	if err == nil || !strings.Contains(err.Error(), "a.txt: line 3") || !strings.Contains(err.Error(), "at most 512 bytes") {
		t.Errorf("error %v, want one about the length of line 3", err)
	}
	r := makeZip(t, "dir/", "", "__MACOSX/dir/._a.txt", "x", "dir/.hidden.txt", "x", "README", "x")
	if _, err := Read(r, r.Size()); err == nil || !strings.Contains(err.Error(), "no entry that ends in .txt") {
		t.Errorf("error %v, want one about an empty zip", err)
	}
}

// FuzzParseEdge: no input makes the parser fail otherwise than with a sentence, and what it
// takes is written the same way again, but for zeros at the end of seconds.
func FuzzParseEdge(f *testing.F) {
	f.Add("raiz: ['1291503317173116930','0.0']->['ROOT','0.0']")
	f.Add("reply: ['1291504459751858176','272.0']->['1291503317173116930','0.0']")
	f.Add("reply: ['9223372036854775807','1000000000000.0']->['1','0.001']")
	f.Add("reply: ['1','-1.0']->['1','1e3']")
	f.Fuzz(func(t *testing.T, line string) {
		e, err := parseEdge([]byte(line))
		if err != nil {
			if err.Rule == "" || len(err.Value) > 80 {
				t.Fatalf("%q: error %+v without a rule or with a long value", line, err)
			}
			return
		}
		c := Cascade{Nodes: []Node{{ID: e.child, AtMS: e.childMS}}}
		if !e.root {
			c.Nodes = []Node{{ID: e.parent, AtMS: e.parentMS}, {ID: e.child, AtMS: e.childMS}}
		}
		lines := strings.Split(string(appendTree(nil, &c)), "\n")
		again, err := parseEdge([]byte(lines[len(c.Nodes)-1]))
		if e.root {
			e.parentMS = 0
		}
		if err != nil || again != e {
			t.Fatalf("%q: read %+v, written %q, read again %+v, %v", line, e, lines, again, err)
		}
	})
}
