package cascade

import "slices"

// Marks at which Figures look: depths, joins per inviter, and quantiles.
var (
	depthMarks    = [...]int32{1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50}
	fanMarks      = [...]int32{1, 2, 3, 5, 10, 30, 100}
	quantileMarks = [...]float64{.05, .1, .25, .5, .75, .9, .95}
)

// Figures are what a set of cascades looks like, real or generated.
type Figures struct {
	Chains  int                       `json:"chains"`
	Joins   int                       `json:"joins"`
	Shares  int                       `json:"shares"` // one per inviter, as Records has it
	Deepest int32                     `json:"deepest"`
	Depth   [len(depthMarks)]float64  `json:"depth"`           // share of the joins at depthMarks[i] or deeper
	Fanout  [len(fanMarks)]float64    `json:"fanout"`          // share of the inviters below the seed with fanMarks[i] joins or more
	Sizes   [len(quantileMarks)]int64 `json:"joins_per_chain"` // quantiles
	FirstS  [len(quantileMarks)]int64 `json:"seed_delay_s"`    // quantiles of the delay of the seeds' invitees
	DeeperS [len(quantileMarks)]int64 `json:"other_delay_s"`   // and of all others, from their inviter's join
}

// Measure takes the figures of cascades.
func Measure(cascades []Cascade) Figures {
	f := Figures{Chains: len(cascades)}
	var sizes, first, deeper []int64
	inviters := 0 // below the seeds
	for i := range cascades {
		c := &cascades[i]
		f.Joins += c.Joins()
		f.Shares++
		sizes = append(sizes, int64(c.Joins()))
		for v, n := range c.children() {
			if v == 0 {
				continue
			}
			f.node(c, int32(v), n)
			if n > 0 {
				inviters++
			}
			node := &c.Nodes[v]
			delay := (node.AtMS - c.Nodes[node.Parent].AtMS) / 1000
			if node.Depth == 1 {
				first = append(first, delay)
			} else {
				deeper = append(deeper, delay)
			}
		}
	}
	f.Shares += inviters
	divide(f.Depth[:], f.Joins)
	divide(f.Fanout[:], inviters)
	quantiles(f.Sizes[:], sizes)
	quantiles(f.FirstS[:], first)
	quantiles(f.DeeperS[:], deeper)
	return f
}

// node counts a node below the root that has n children.
func (f *Figures) node(c *Cascade, v, n int32) {
	depth := c.Nodes[v].Depth
	f.Deepest = max(f.Deepest, depth)
	for i, mark := range depthMarks {
		if depth >= mark {
			f.Depth[i]++
		}
	}
	for i, mark := range fanMarks {
		if n >= mark {
			f.Fanout[i]++
		}
	}
}

func divide(counts []float64, by int) {
	for i := range counts {
		counts[i] /= float64(max(by, 1))
	}
}

func quantiles(to, values []int64) {
	if len(values) == 0 {
		return
	}
	slices.Sort(values)
	for i, q := range quantileMarks {
		to[i] = values[int(q*float64(len(values)))]
	}
}
