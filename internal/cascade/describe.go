package cascade

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// Description is the fitted Shape, and what cascades grown by it look like beside the real ones. The arrays of
// Figures go by Marks.
type Description struct {
	Shape     Shape   `json:"shape"`
	Marks     Marks   `json:"marks"`
	Real      Figures `json:"real"`
	Generated Figures `json:"generated"`
}

// Marks are where Figures look: depths, joins per inviter, and quantiles (0 to 1).
type Marks struct {
	Depth     [len(depthMarks)]int32      `json:"depth"`
	Fanout    [len(fanMarks)]int32        `json:"fanout"`
	Quantiles [len(quantileMarks)]float64 `json:"quantiles"`
}

// Describe grows as many cascades as there are real ones, and measures them.
func Describe() Description {
	s := Fitted()
	return describe(s, Real(), Measure(s.Grow(1, Real().Chains, int64(Real().Joins))))
}

func describe(s Shape, real, grown Figures) Description {
	return Description{Shape: s, Marks: Marks{depthMarks, fanMarks, quantileMarks}, Real: real, Generated: grown}
}

// Print writes it as a page.
func (d *Description) Print(w io.Writer) error {
	_, err := w.Write(d.page())
	return err
}

func (d *Description) page() []byte {
	s, real, grown := &d.Shape, &d.Real, &d.Generated
	var b bytes.Buffer
	fmt.Fprintf(&b, `Shape of invite chains, fitted to 140 real information cascades of
  Mendoza et al., "A Study on Information Disorders on Social Networks during the Chilean Social
  Outbreak and COVID-19 Pandemic", Appl. Sci. 2023, 13, 5347, doi 10.3390/app13095347

  joins per chain   Weibull, power %.4g, scale %.4g (relative sizes; the mean is what was asked for)
  depth of a join   P(D >= k) = ((1%+.4g)/(k%+.4g))^%.4g, at most %d and one below the deepest member
  joins of inviter  P(F >= k) = ((1%+.4g)/(k%+.4g))^%.4g, at most %d (below the seed)
  age of a join     Weibull, power %.4g, scale %.4g s, times exp(%.4g z) per chain
  threads           %.3g of the draws below the deepest member

`, s.SizePower, s.SizeScale, s.Depth.Shift, s.Depth.Shift, s.Depth.Alpha, s.DepthMax,
		s.Fanout.Shift, s.Fanout.Shift, s.Fanout.Alpha, s.FanMax, s.AgePower, s.AgeScale, s.AgeBetween, s.Climb)
	row := func(name, real, grown string) { fmt.Fprintf(&b, "%-34s %12s %12s\n", name, real, grown) }
	row("", "real", "generated")
	count := func(name string, real, grown int) { row(name, fmt.Sprint(real), fmt.Sprint(grown)) }
	count("chains", real.Chains, grown.Chains)
	count("joins", real.Joins, grown.Joins)
	count("shares", real.Shares, grown.Shares)
	count("deepest", int(real.Deepest), int(grown.Deepest))
	for i, mark := range depthMarks[1:] {
		row(fmt.Sprintf("joins at depth >= %d", mark), percent(real.Depth[i+1]), percent(grown.Depth[i+1]))
	}
	for i, mark := range fanMarks[1:] {
		row(fmt.Sprintf("inviters with >= %d joins", mark), percent(real.Fanout[i+1]), percent(grown.Fanout[i+1]))
	}
	for i, q := range quantileMarks {
		count(fmt.Sprintf("joins per chain, %.0f %%", 100*q), int(real.Sizes[i]), int(grown.Sizes[i]))
	}
	for i, q := range quantileMarks {
		row(fmt.Sprintf("delay of a seed's invitee, %.0f %%", 100*q), duration(real.FirstS[i]), duration(grown.FirstS[i]))
	}
	for i, q := range quantileMarks {
		row(fmt.Sprintf("delay of others, %.0f %%", 100*q), duration(real.DeeperS[i]), duration(grown.DeeperS[i]))
	}
	return b.Bytes()
}

func percent(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) }

func duration(s int64) string { return (time.Duration(s) * time.Second).String() }
