//go:build mutants

package mutant

import (
	"fmt"
	"os"
	"sync"
)

// Enabled says whether this build can make planted mistakes.
const Enabled = true

var chosen = sync.OnceValue(func() Name {
	name := Name(os.Getenv("HONGBAO_MUTANT"))
	if _, ok := Named(name); name != "" && !ok {
		panic(fmt.Sprintf("HONGBAO_MUTANT=%q names none of the planted bugs", name))
	}
	return name
})

// On says whether the mistake is to be made.
func On(name Name) bool { return chosen() == name }
