package cascade

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// readAll reads every data set.
func readAll(t *testing.T) (all []Cascade, genuine bool) {
	sets, genuine := datasets(t)
	for _, set := range sets {
		cascades, err := ReadZip(set.path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cascades...)
	}
	return all, genuine
}

// TestFit compares Fitted with Fit of the real cascades. Without them it fits cascades grown
// by Fitted, which must give nearly the same: a fit that is no fit would not.
func TestFit(t *testing.T) {
	t.Parallel()
	all, genuine := readAll(t)
	tolerance, loose := 0.001, 0.05
	if !genuine {
		shape := Fitted()
		all, tolerance, loose = shape.Grow(4, 150, 75_000), 0.25, 1
	}
	got, want := reflect.ValueOf(flat(Fit(all))), reflect.ValueOf(flat(Fitted()))
	for i := range got.NumField() {
		name, g, w := got.Type().Field(i).Name, got.Field(i).Float(), want.Field(i).Float()
		allowed := tolerance * math.Abs(w)
		switch name {
		case "Climb", "DepthShift", "FanoutShift":
			allowed = loose * math.Abs(w)
		case "SizeScale", "FanMax", "DepthMax": // relative sizes and the rarest: grown cascades have others
			if !genuine {
				continue
			}
		}
		if genuine && name != "Climb" {
			allowed = tolerance * math.Abs(w)
		}
		if math.Abs(g-w) > allowed {
			t.Errorf("%s: fitted %.6g, committed %.6g, allowed difference %.3g", name, g, w, allowed)
		}
	}
}

type flatShape struct {
	SizePower, SizeScale, Depth, DepthShift, DepthMax, Fanout, FanoutShift, FanMax float64
	AgePower, AgeScale, AgeBetween, Climb                                          float64
}

func flat(s Shape) flatShape {
	return flatShape{
		s.SizePower, s.SizeScale, s.Depth.Alpha, s.Depth.Shift, float64(s.DepthMax), s.Fanout.Alpha, s.Fanout.Shift,
		float64(s.FanMax), s.AgePower, s.AgeScale, s.AgeBetween, s.Climb,
	}
}

// TestFigures compares the quoted Real with the data, and cascades grown by Fitted with Real.
func TestFigures(t *testing.T) {
	t.Parallel()
	if all, genuine := readAll(t); genuine {
		got, want := Measure(all), Real()
		near(t, "depth", got.Depth[:], want.Depth[:], 0, 0.00005)
		near(t, "fan-out", got.Fanout[:], want.Fanout[:], 0, 0.00005)
		got.Depth, got.Fanout = want.Depth, want.Fanout
		if got != want {
			t.Errorf("measured %+v, quoted %+v", got, want)
		}
	}
	shape := Fitted()
	grown, want := Measure(shape.Grow(1, 140, 72954)), Real()
	near(t, "grown depth", grown.Depth[:], want.Depth[:], 0.3, 0.003)
	near(t, "grown fan-out", grown.Fanout[:], want.Fanout[:], 0.15, 0.006)
	near(t, "grown sizes", seconds(grown.Sizes[2:]), seconds(want.Sizes[2:]), 0.3, 0)
	near(t, "grown first delays", seconds(grown.FirstS[:]), seconds(want.FirstS[:]), 0.35, 0)
	near(t, "grown deeper delays", seconds(grown.DeeperS[2:]), seconds(want.DeeperS[2:]), 0.9, 0)
}

func near(t *testing.T, what string, got, want []float64, relative, absolute float64) {
	t.Helper()
	for i := range want {
		if math.Abs(got[i]-want[i]) > relative*want[i]+absolute {
			t.Errorf("%s: %v, want about %v: number %d is too far", what, got, want, i)
		}
	}
}

func seconds(v []int64) []float64 {
	f := make([]float64, len(v))
	for i := range v {
		f[i] = float64(v[i])
	}
	return f
}

// TestDescribe is the page that `load synthetic --describe` prints.
func TestDescribe(t *testing.T) {
	t.Parallel()
	datadriven.RunTest(t, "../../testdata/cascade/describe", func(t *testing.T, _ *datadriven.TestData) string {
		var b bytes.Buffer
		d := Describe()
		if err := d.Print(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	})
}

// TestDescribeInJSON: what `--describe --json` prints says the shape, the marks and both columns of the page.
func TestDescribeInJSON(t *testing.T) {
	t.Parallel()
	d := Describe()
	text, err := json.Marshal(&d)
	if err != nil {
		t.Fatal(err)
	}
	var back Description
	if err := json.Unmarshal(text, &back); err != nil || back != d || back.Shape != Fitted() || back.Real != Real() || back.Marks.Depth != depthMarks {
		t.Errorf("%s reads back as %+v, %v", text, back, err)
	}
	for _, name := range []string{"shape", "marks", "quantiles", "generated", "size_power", "joins_per_chain", "other_delay_s"} {
		if !bytes.Contains(text, []byte(`"`+name+`":`)) {
			t.Errorf("%s has no %q", text, name)
		}
	}
}

// TestPareto compares draw with atLeast.
func TestPareto(t *testing.T) {
	t.Parallel()
	const seed, n = 3, 200_000
	d := newDice(seed, 0)
	for _, p := range []Pareto{Fitted().Depth, Fitted().Fanout, {Alpha: 3, Shift: 5}} {
		var least [5]float64
		for range n {
			v := p.draw(d.unit(), 1000)
			for k := range least {
				if int(v) > k {
					least[k]++
				}
			}
		}
		for k := range least {
			if got, want := least[k]/n, p.atLeast(float64(k+1)); math.Abs(got-want) > 0.005 {
				t.Errorf("seed %d: %+v: P(X >= %d) came out as %.4f, want %.4f", seed, p, k+1, got, want)
			}
		}
	}
}

// TestSizes: sizes add up, and every chain has a join where there are enough.
func TestSizes(t *testing.T) {
	t.Parallel()
	shape, d := Fitted(), newDice(1, 0)
	for _, c := range []struct{ chains, total, least int64 }{{100, 5000, 1}, {100, 100, 1}, {100, 99, 0}, {1, 7, 7}, {3, 0, 0}} {
		var sum int64
		for _, size := range shape.sizes(d, int(c.chains), c.total) {
			sum += size
			if size < c.least {
				t.Errorf("%d joins in %d chains: one has %d", c.total, c.chains, size)
			}
		}
		if sum != c.total {
			t.Errorf("%d joins in %d chains add up to %d", c.total, c.chains, sum)
		}
	}
}

// TestGrow: a parent stands before its child and joins no later (K2), ids are unique (K3), the seed decides (K4).
func TestGrow(t *testing.T) {
	t.Parallel()
	shape := Fitted()
	cascades := shape.Grow(9, 50, 20_000)
	if !reflect.DeepEqual(cascades, shape.Grow(9, 50, 20_000)) {
		t.Error("seed 9 gave different cascades (K4)")
	}
	seen := map[int64]bool{}
	for _, c := range cascades {
		for i, n := range c.Nodes {
			if n.ID < 1 || seen[n.ID] {
				t.Fatalf("seed 9: id %d is below 1 or was given before (K3)", n.ID)
			}
			seen[n.ID] = true
			if i == 0 {
				continue
			}
			p := c.Nodes[n.Parent]
			if int(n.Parent) >= i || n.AtMS < p.AtMS || n.AtMS < c.Nodes[i-1].AtMS || n.Depth != p.Depth+1 {
				t.Fatalf("seed 9: node %d %+v after parent %+v (K2)", i, n, p)
			}
		}
	}
}
