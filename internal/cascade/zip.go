package cascade

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Limits of a zip, so that a hostile one ends in a sentence and not in a full memory.
const (
	maxLineBytes = 512
	maxNodes     = 20_000_000 // of all cascades of a zip together
)

// ReadZip reads the cascades of a zip file: every entry that ends in .txt is one, in the
// order of the zip's directory. Malformed content is a *SyntaxError.
func ReadZip(name string) ([]Cascade, error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, fmt.Errorf("cascades: open zip %s: %w", name, err)
	}
	cascades, err := readEntries(&z.Reader)
	if errClose := z.Close(); err == nil && errClose != nil {
		err = fmt.Errorf("cascades: close zip: %w", errClose)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return cascades, nil
}

// Read is ReadZip on a zip of size bytes.
func Read(r io.ReaderAt, size int64) ([]Cascade, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("cascades: read zip: %w", err)
	}
	return readEntries(z)
}

// place is where an id was first seen.
type place struct {
	cascade int32
	node    int32
}

func readEntries(z *zip.Reader) ([]Cascade, error) {
	var cascades []Cascade
	seen := make(map[int64]place)
	for _, f := range z.File {
		if !isCascade(f.Name) {
			continue
		}
		c, err := readEntry(f, maxNodes-len(seen))
		if err != nil {
			return nil, err
		}
		if err := claim(seen, cascades, &c); err != nil {
			return nil, err
		}
		cascades = append(cascades, c)
	}
	if len(cascades) == 0 {
		return nil, errors.New("cascades: the zip has no entry that ends in .txt: each such entry is one cascade")
	}
	return cascades, nil
}

// isCascade leaves out directories and what archivers add.
func isCascade(name string) bool {
	return strings.HasSuffix(name, ".txt") && !strings.HasPrefix(name, "__MACOSX/") &&
		!strings.HasPrefix(path.Base(name), ".")
}

// claim keeps K3 across the files of a zip.
func claim(seen map[int64]place, before []Cascade, c *Cascade) error {
	for i := range c.Nodes {
		id := c.Nodes[i].ID
		if p, twice := seen[id]; twice {
			return &SyntaxError{File: c.Name, Line: i + 1, Value: fmt.Sprint(id), Rule: fmt.Sprintf(
				"a user belongs to one chain, but the id stands in %s line %d too", before[p.cascade].Name, p.node+1)}
		}
		seen[id] = place{cascade: int32(len(before)), node: int32(i)} //nolint:gosec // at most maxNodes
	}
	return nil
}

func readEntry(f *zip.File, room int) (c Cascade, err error) {
	r, err := f.Open()
	if err != nil {
		return c, fmt.Errorf("cascades: open %s: %w", f.Name, err)
	}
	defer func() {
		if errClose := r.Close(); err == nil && errClose != nil {
			err = fmt.Errorf("cascades: %s: %w", f.Name, errClose)
		}
	}()
	return readTree(f.Name, r, room)
}

// readTree reads one cascade file of at most room nodes.
func readTree(name string, r io.Reader, room int) (Cascade, error) {
	t := tree{c: Cascade{Name: name}, index: make(map[int64]int32)}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxLineBytes), maxLineBytes)
	n := 0
	for lines.Scan() {
		n++
		err := t.add(lines.Bytes())
		if err == nil && n > room {
			err = broken(lines.Bytes(), fmt.Sprintf("a zip holds at most %d nodes", maxNodes))
		}
		if err != nil {
			err.File, err.Line = name, n
			return t.c, err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return t.c, &SyntaxError{File: name, Line: n + 1, Rule: fmt.Sprintf("a line has at most %d bytes", maxLineBytes)}
	} else if err != nil {
		return t.c, fmt.Errorf("cascades: read %s: %w", name, err)
	}
	if n == 0 {
		return t.c, &SyntaxError{File: name, Rule: "a cascade has at least its root line"}
	}
	return t.c, nil
}

// tree is a cascade while its lines come in.
type tree struct {
	c     Cascade
	index map[int64]int32
}

func (t *tree) add(line []byte) *SyntaxError {
	e, err := parseEdge(line)
	if err != nil {
		return err
	}
	if e.root != (len(t.c.Nodes) == 0) {
		return broken(line, "the root line is the first line and the only one of its kind")
	}
	if e.root {
		if e.childMS != 0 || e.parentMS != 0 {
			return broken(line, "seconds count from the root, whose own are 0.0")
		}
		t.put(Node{ID: e.child, Parent: -1})
		return nil
	}
	p, ok := t.index[e.parent]
	switch _, twice := t.index[e.child]; {
	case twice:
		return broken(line, "each child occurs once")
	case !ok:
		return broken(line, "a child stands after its parent")
	case t.c.Nodes[p].AtMS != e.parentMS:
		return broken(line, "the parent's seconds are repeated as given on its own line")
	case e.childMS < e.parentMS:
		return broken(line, "a child's seconds are never below its parent's")
	}
	t.put(Node{ID: e.child, Parent: p, Depth: t.c.Nodes[p].Depth + 1, AtMS: e.childMS})
	return nil
}

func (t *tree) put(n Node) {
	t.index[n.ID] = int32(len(t.c.Nodes)) //nolint:gosec // at most maxNodes
	t.c.Nodes = append(t.c.Nodes, n)
}
