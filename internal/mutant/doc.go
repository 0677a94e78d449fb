// Package mutant plants bugs, one at a time, to show that the simulation would find them. Each breaks one rule at the
// place where the rule is kept; a build with the tag mutants makes the mistake that HONGBAO_MUTANT names. Without the tag On is a constant
// false, so that a release holds neither the mistakes nor their names (TestReleaseHasNoMutant).
//
//	M1  A mutant is named in Names once, and asked for by On at one rule; a rule kept twice is broken at both places.
//	M2  It makes a mistake that somebody could make: no panic, no endless loop, nothing that only a test would notice.
//	M3  It is caught when an oracle I1 to I10 of internal/sim fails within 2,000 seeds. A crash does not count.
package mutant
