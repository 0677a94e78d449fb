package cascade

import (
	"math"
	"slices"
)

// Fit works out the Shape of cascades:
//
//   - sizes, depths and fan-out by maximum likelihood;
//   - ages by mean and variance of ln(seconds), the variance parted into that between the
//     chains' means and that within chains, each edge counting once;
//   - Climb by bisection: cascades of the same sizes are grown until as many of their joins
//     are at depth 20 or deeper.
//
// How many members wait on a rung (waiters) is not fitted here: of 2, 4, 8, 16 and 32 it is the
// number with which the delay between an inviter below the seed and its invitee comes out
// nearest to the real one (Describe prints both).
//
// Every cascade needs an edge, and some need edges below depth 1.
func Fit(cascades []Cascade) Shape {
	var s Shape
	var sizes []float64
	depths, fans := make(map[int32]int), make(map[int32]int)
	for i := range cascades {
		c := &cascades[i]
		sizes = append(sizes, float64(c.Joins()))
		for v, n := range c.children() {
			if v > 0 {
				depths[c.Nodes[v].Depth]++
			}
			if v > 0 && n > 0 {
				fans[n]++
			}
		}
	}
	s.SizePower, s.SizeScale = fitWeibull(sizes)
	s.Depth, s.DepthMax = fitPareto(depths)
	s.Fanout, s.FanMax = fitPareto(fans)
	s.AgePower, s.AgeScale, s.AgeBetween = fitAges(cascades)
	s.Climb = fitClimb(s, cascades)
	return s
}

// fitWeibull solves the likelihood equation Σxᵏln x/Σxᵏ − 1/k = mean(ln x) for k.
func fitWeibull(x []float64) (power, scale float64) {
	var logs float64
	for _, v := range x {
		logs += math.Log(v) / float64(len(x))
	}
	power = bisect(0.05, 20, 40, func(k float64) bool {
		var sum, weighted float64
		for _, v := range x {
			w := math.Pow(v, k)
			sum += w
			weighted += w * math.Log(v)
		}
		return weighted/sum-1/k > logs
	})
	for _, v := range x {
		scale += math.Pow(v, power) / float64(len(x))
	}
	return power, math.Pow(scale, 1/power)
}

// fitPareto maximises the likelihood of a histogram over both parameters.
func fitPareto(histogram map[int32]int) (Pareto, int32) {
	keys := make([]int32, 0, len(histogram))
	for k := range histogram {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	likelihood := func(p Pareto) (sum float64) {
		for _, k := range keys {
			sum += float64(histogram[k]) * math.Log(p.atLeast(float64(k))-p.atLeast(float64(k)+1))
		}
		return sum
	}
	best := func(shift float64) Pareto {
		alpha := highest(0.2, 20, func(a float64) float64 { return likelihood(Pareto{a, shift}) })
		return Pareto{alpha, shift}
	}
	shift := highest(-0.95, 30, func(s float64) float64 { return likelihood(best(s)) })
	return best(shift), keys[len(keys)-1]
}

// fitAges uses that ln of a Weibull variable has the variance π²/(6·power²) and the mean
// ln(scale) − γ/power.
func fitAges(cascades []Cascade) (power, scale, spread float64) {
	var edges, mean, between, within float64
	for i := range cascades {
		c := &cascades[i]
		m, square := logAges(c)
		n := float64(c.Joins())
		edges += n
		mean += n * m
		between += n * m * m
		within += n * (square - m*m)
	}
	mean /= edges
	power = math.Pi / math.Sqrt(6*within/edges)
	return power, math.Exp(mean + eulerGamma/power), math.Sqrt(between/edges - mean*mean)
}

const eulerGamma = 0.5772156649015329

// logAges is the mean of ln(age in seconds) over the edges, and of its square. Ages below a
// second count as one.
func logAges(c *Cascade) (mean, square float64) {
	n := float64(c.Joins())
	for _, v := range c.Nodes[1:] {
		a := math.Log(max(1, float64(v.AtMS)/1000))
		mean += a / n
		square += a * a / n
	}
	return mean, square
}

// Threads are rare, so that fitClimb needs more than one round of cascades to see enough of them.
const (
	climbDepth  = 20
	climbRounds = 4
)

func fitClimb(s Shape, cascades []Cascade) float64 {
	want := deepShare(cascades)
	return bisect(0, 0.1, 8, func(climb float64) bool {
		s.Climb = climb
		return deepShare(s.regrow(cascades, climbRounds)) > want
	})
}

// regrow grows cascades of the sizes of those given, from a fixed seed.
func (s *Shape) regrow(like []Cascade, rounds int) []Cascade {
	const seed = 5347
	d, ids := newDice(seed, 0), newIDs(seed)
	grown := make([]Cascade, 0, rounds*len(like))
	for range rounds {
		for i := range like {
			grown = append(grown, s.grow(d, &ids, int64(like[i].Joins())))
		}
	}
	return grown
}

// deepShare is the share of joins at climbDepth or deeper.
func deepShare(cascades []Cascade) float64 {
	var joins, deep float64
	for i := range cascades {
		for _, n := range cascades[i].Nodes[1:] {
			joins++
			if n.Depth >= climbDepth {
				deep++
			}
		}
	}
	return deep / joins
}

// bisect finds where above turns from false to true between lo and hi.
func bisect(lo, hi float64, steps int, above func(float64) bool) float64 {
	for range steps {
		if mid := (lo + hi) / 2; above(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return (lo + hi) / 2
}

// highest finds the maximum of a function with a single peak, by golden section.
func highest(lo, hi float64, f func(float64) float64) float64 {
	const ratio = 0.6180339887498949
	a, b := hi-ratio*(hi-lo), lo+ratio*(hi-lo)
	fa, fb := f(a), f(b)
	for range 60 {
		if fa > fb {
			hi, b, fb = b, a, fa
			a = hi - ratio*(hi-lo)
			fa = f(a)
		} else {
			lo, a, fa = a, b, fb
			b = lo + ratio*(hi-lo)
			fb = f(b)
		}
	}
	return (lo + hi) / 2
}
