package cascade

// Fitted is Fit of the 140 real cascades, False.zip before Imprecise.zip; for where they come
// from see the package comment. A test repeats the fit where the data is at hand
// (HONGBAO_CASCADES names its folder) and allows 0.1 %, and 5 % for Climb, which a simulation fits.
func Fitted() Shape {
	return Shape{
		SizePower: 0.59524, SizeScale: 341.71,
		Depth: Pareto{Alpha: 1.68684, Shift: 0.43556}, DepthMax: 88,
		Fanout: Pareto{Alpha: 1.55158, Shift: -0.34218}, FanMax: 1430,
		AgePower: 0.88571, AgeScale: 52382, AgeBetween: 0.72851,
		Climb: 0.01426,
	}
}

// Real are the Figures of the same cascades, rounded to four digits.
func Real() Figures {
	return Figures{
		Chains: 140, Joins: 72954, Shares: 13483, Deepest: 88,
		Depth:   [len(depthMarks)]float64{1, 0.3992, 0.2391, 0.1688, 0.1191, 0.0952, 0.0426, 0.0272, 0.0124, 0.0085, 0.0054, 0.0027},
		Fanout:  [len(fanMarks)]float64{1, 0.2427, 0.1031, 0.0438, 0.0172, 0.0048, 0.0012},
		Sizes:   [len(quantileMarks)]int64{5, 9, 33, 156, 720, 1622, 2235},
		FirstS:  [len(quantileMarks)]int64{1232, 2926, 10099, 30687, 72787, 120941, 188258},
		DeeperS: [len(quantileMarks)]int64{115, 225, 1171, 8624, 39675, 88207, 151200},
	}
}
