//go:build synctests

package sim

import "math/rand/v2"

type fault struct{ Kind string }

func (p *plan) drawFaults(_ *rand.Rand, _ []int) {}

type faults struct{ s *sim }

func newFaults(s *sim) *faults { return &faults{s} }

func (f *faults) judge(*link, int16, int, []byte) fate { return fate{} }
