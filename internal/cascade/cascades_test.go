package cascade

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dataset is one zip and what an independent count says of it; zero figures: a generated one.
type dataset struct {
	path          string
	chains        int
	joins, shares int64
	deepest       int
	depth         []int64 // joins at depth 1, 2, 3
}

// datasets are the real cascades where HONGBAO_CASCADES names their folder. Elsewhere they
// are two generated zips in the same format, so that no test is left out in silence.
func datasets(t testing.TB) (sets []dataset, genuine bool) {
	t.Helper()
	if dir := os.Getenv("HONGBAO_CASCADES"); dir != "" {
		return []dataset{
			{filepath.Join(dir, "False.zip"), 99, 45147, 8254, 88, []int64{29205, 7818, 3088}},
			{filepath.Join(dir, "Imprecise.zip"), 41, 27807, 5229, 60, []int64{14626, 3864, 2037}},
		}, true
	}
	t.Log("HONGBAO_CASCADES is not set: generated cascades stand in for the real ones")
	shape := Fitted()
	for i, name := range []string{"False.zip", "Imprecise.zip"} {
		var b bytes.Buffer
		if err := WriteZip(&b, shape.Grow(uint64(i+1), 40, 8000)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		sets = append(sets, dataset{path: path})
	}
	return sets, false
}

// countZip is the independent count: parents by splitting at quotes, depth by walking up.
func countZip(t *testing.T, name string) (d dataset) {
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	parent, inviters := map[string]string{}, map[string]bool{}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		d.chains++
		for line := range strings.Lines(string(text)) {
			part := strings.Split(line, "'")
			if child, by := part[1], part[5]; strings.HasPrefix(line, "reply") {
				parent[child], inviters[by] = by, true
			} else {
				inviters[child] = true // the seed shares in any case
			}
		}
	}
	d.joins, d.shares = int64(len(parent)), int64(len(inviters))
	for child := range parent {
		depth := 0
		for up, ok := parent[child]; ok; up, ok = parent[up] {
			depth++
		}
		for len(d.depth) < depth {
			d.depth = append(d.depth, 0)
		}
		d.depth[depth-1]++
		d.deepest = max(d.deepest, depth)
	}
	return d
}

// TestRecords: counts of the file, of Counts and of the referee agree.
func TestRecords(t *testing.T) {
	t.Parallel()
	sets, genuine := datasets(t)
	for _, set := range sets {
		count := countZip(t, set.path)
		cascades, err := ReadZip(set.path)
		if err != nil {
			t.Fatal(err)
		}
		seq, counts, err := Records(cascades, testConfig())
		if err != nil {
			t.Fatal(err)
		}
		j := newReferee(t, testConfig())
		for rec := range seq {
			j.judge(rec)
		}
		compareCounts(t, counts, &j.counts)
		if j.lastMS != testNowMS {
			t.Errorf("%s: the last event is at %d, want now, %d", set.path, j.lastMS, int64(testNowMS))
		}
		if len(cascades) != count.chains || counts.Joins != count.joins || counts.Shares != count.shares ||
			!slices.Equal(counts.Depth[1:], count.depth) {
			t.Errorf("%s: %d chains, %+v; the file has %+v", set.path, len(cascades), counts, count)
		}
		if genuine && (count.chains != set.chains || count.joins != set.joins || count.shares != set.shares ||
			count.deepest != set.deepest || !slices.Equal(count.depth[:3], set.depth)) {
			t.Errorf("%s: %d chains, %d joins, %d shares, deepest %d, depths %v; want %+v", set.path,
				count.chains, count.joins, count.shares, count.deepest, count.depth[:3], set)
		}
	}
}

// TestRecordsTwice: sent a second time, every record is a duplicate.
func TestRecordsTwice(t *testing.T) {
	t.Parallel()
	shape := Fitted()
	seq, counts, err := Records(shape.Grow(5, 10, 500), testConfig())
	if err != nil {
		t.Fatal(err)
	}
	j := newReferee(t, testConfig())
	for range 2 {
		j.lastMS = 0
		for rec := range seq {
			j.judge(rec)
		}
	}
	if j.counts.Accepted() != counts.Records || j.counts.Duplicates != counts.Records {
		t.Errorf("%d accepted and %d duplicates, want %d of each", j.counts.Accepted(), j.counts.Duplicates, counts.Records)
	}
}

// TestRecordsTies: at one time everything keeps the order of its chain, and chains that of the zip (K1, K2).
func TestRecordsTies(t *testing.T) {
	t.Parallel()
	// The second child of the first cascade stands before the first in time.
	text := "raiz: ['1','0.0']->['ROOT','0.0']\nreply: ['2','5.0']->['1','0.0']\n" +
		"reply: ['3','0.0']->['1','0.0']\nreply: ['4','5.0']->['2','5.0']\n"
	var cascades []Cascade
	for _, text := range []string{text, "raiz: ['9','0.0']->['ROOT','0.0']\nreply: ['8','0.0']->['9','0.0']\n"} {
		c, err := readTree("tree.txt", strings.NewReader(text), maxNodes)
		if err != nil {
			t.Fatal(err)
		}
		cascades = append(cascades, c)
	}
	seq, _, err := Records(cascades, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for rec := range seq {
		got = append(got, string(rec.Headers[1].Value))
	}
	if want := strings.Fields("s1 j3 s9 j8 j2 s2 j4"); !slices.Equal(got, want) {
		t.Errorf("stream %v, want %v", got, want)
	}
}

func TestRecordsRefusals(t *testing.T) {
	t.Parallel()
	long := []Cascade{{Nodes: []Node{{ID: 1, Parent: -1}, {ID: 2, Depth: 1, AtMS: testNowMS}}}}
	for want, cascades := range map[string][]Cascade{"no cascade": nil, "begins before 1970": long} {
		if _, _, err := Records(cascades, testConfig()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, _, err := Records(long, Config{}); err == nil || !strings.Contains(err.Error(), "no code keys") {
		t.Errorf("error %v, want one about code keys", err)
	}
}
