//go:build !mutants

package mutant

// Enabled says whether this build can make planted mistakes.
const Enabled = false

// On says whether the mistake is to be made.
func On(Name) bool { return false }
