package cascade

import "math"

// Shape is the form of cascades in a few numbers. Fitted holds those of the real ones.
//
// A chain of N joins grows like this. The ages of its joins (time since the seed) are
// spread by a Weibull distribution, and the j-th join in time is the j-th quantile, so
// that a chain bursts and then trickles as the real ones do. Each join draws its depth,
// at most one below the deepest member so far, and the member who invites at the depth
// above takes it. Such an inviter serves as many joins as it drew, then one of the members
// who wait at the same depth shares and takes over.
type Shape struct {
	// Joins per chain: Weibull, P(N > n) = exp(-(n/SizeScale)^SizePower).
	SizePower float64 `json:"size_power"`
	SizeScale float64 `json:"size_scale"`

	Depth    Pareto `json:"depth"`      // depth of a join
	DepthMax int32  `json:"depth_max"`  // the deepest real one
	Fanout   Pareto `json:"fanout"`     // joins of an inviter below the seed
	FanMax   int32  `json:"fanout_max"` // the largest real one

	// Age of a join in seconds: Weibull within a chain, P(age > t) = exp(-(t/scale)^AgePower),
	// scale = AgeScale·exp(AgeBetween·z), z standard normal per chain.
	AgePower   float64 `json:"age_power"`
	AgeScale   float64 `json:"age_scale_s"`
	AgeBetween float64 `json:"age_between"`

	// Climb is the chance that a draw below the deepest member starts a thread: joins that
	// invite one another down to the depth drawn. Without it no chain of this size is as
	// deep as the deepest real ones.
	Climb float64 `json:"climb"`
}

// Pareto is the discrete Pareto distribution P(X >= k) = ((1+Shift)/(k+Shift))^Alpha, k = 1, 2, 3 ...
type Pareto struct {
	Alpha float64 `json:"alpha"`
	Shift float64 `json:"shift"`
}

// atLeast is P(X >= k).
func (p Pareto) atLeast(k float64) float64 {
	return math.Pow((1+p.Shift)/(k+p.Shift), p.Alpha)
}

// draw inverts atLeast on a uniform u in (0, 1].
func (p Pareto) draw(u float64, most int32) int32 {
	x := (1+p.Shift)*math.Pow(u, -1/p.Alpha) - p.Shift
	if x >= float64(most) {
		return most
	}
	return max(1, int32(x))
}

// ageMS is the age of a chain's join at quantile p of its growth; slow is AgeBetween·z of the chain.
func (s *Shape) ageMS(slow, p float64) int64 {
	return int64(1000 * s.AgeScale * math.Exp(slow+math.Log(-math.Log1p(-p))/s.AgePower))
}

// grownBy is the share of a chain's joins that have happened ageMS after its seed.
func (s *Shape) grownBy(slow float64, ageMS int64) float64 {
	return -math.Expm1(-math.Pow(float64(ageMS)/1000/s.AgeScale/math.Exp(slow), s.AgePower))
}

// sizes draws the sizes of n chains that add up to total: the Weibull's relative sizes,
// scaled; every chain has at least one where total allows it.
func (s *Shape) sizes(d *dice, n int, total int64) []int64 {
	weights := make([]float64, n)
	var sum float64
	for i := range weights {
		weights[i] = math.Pow(-math.Log(d.unit()), 1/s.SizePower)
		sum += weights[i]
	}
	least := int64(0)
	if total >= int64(n) {
		least = 1
	}
	sizes := make([]int64, n)
	spread := float64(total - least*int64(n))
	var upTo float64
	var given int64
	for i, w := range weights {
		upTo += w
		upToHere := int64(math.Round(spread * min(1, upTo/max(sum, math.SmallestNonzeroFloat64))))
		sizes[i] = least + upToHere - given
		given = upToHere
	}
	return sizes
}
