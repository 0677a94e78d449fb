package cascade

import (
	"archive/zip"
	"fmt"
	"io"
	"strconv"
)

// WriteZip writes cascades in the format that Read reads. An empty Name becomes
// treefile_<root>.txt. The same cascades give the same bytes.
func WriteZip(w io.Writer, cascades []Cascade) error {
	z := zip.NewWriter(w)
	for i := range cascades {
		c := &cascades[i]
		name := c.Name
		if name == "" {
			name = fmt.Sprintf("treefile_%d.txt", c.Root())
		}
		f, err := z.Create(name)
		if err != nil {
			return fmt.Errorf("cascades: create entry %s: %w", name, err)
		}
		if _, err := f.Write(appendTree(nil, c)); err != nil {
			return fmt.Errorf("cascades: write entry %s: %w", name, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("cascades: finish zip: %w", err)
	}
	return nil
}

func appendTree(dst []byte, c *Cascade) []byte {
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if i == 0 {
			dst = append(dst, "raiz: "...)
		} else {
			dst = append(dst, "reply: "...)
		}
		dst = appendPair(dst, strconv.FormatInt(n.ID, 10), n.AtMS)
		dst = append(dst, "->"...)
		if i == 0 {
			dst = appendPair(dst, "ROOT", 0)
		} else {
			p := &c.Nodes[n.Parent]
			dst = appendPair(dst, strconv.FormatInt(p.ID, 10), p.AtMS)
		}
		dst = append(dst, '\n')
	}
	return dst
}

// appendPair writes ['id','seconds'], seconds with one decimal at least and three at most.
func appendPair(dst []byte, id string, atMS int64) []byte {
	dst = append(append(dst, "['"...), id...)
	dst = strconv.AppendInt(append(dst, "','"...), atMS/1000, 10)
	part := strconv.AppendInt(nil, 1000+atMS%1000, 10)[1:]
	for len(part) > 1 && part[len(part)-1] == '0' {
		part = part[:len(part)-1]
	}
	dst = append(append(dst, '.'), part...)
	return append(dst, "']"...)
}
