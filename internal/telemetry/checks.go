package telemetry

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// NoPartition stands in a Finding that is about the whole instance.
const NoPartition int32 = -1

// Finding is one reason why an instance or one of its partitions is not as it should be,
// in words that tell a person what to do (invariant 3).
type Finding struct {
	Check     string `json:"check"`     // the name under which the check is registered; filled in by Checks
	Partition int32  `json:"partition"` // or NoPartition
	Rule      string `json:"rule"`      // the rule that does not hold, e.g. "X5d"
	Expected  string `json:"expected"`
	Found     string `json:"found"`
	Do        string `json:"do"`
	// Fatal: the process is of no more use and should be started again. Not for a
	// stopped partition (invariant 4).
	Fatal bool `json:"fatal,omitempty"`
}

// String is the finding as one sentence, for logs.
func (f Finding) String() string {
	var b strings.Builder
	if f.Partition != NoPartition {
		fmt.Fprintf(&b, "partition %d: ", f.Partition)
	}
	fmt.Fprintf(&b, "rule %s: expected %s, found %s; %s", f.Rule, f.Expected, f.Found, f.Do)
	return b.String()
}

// Check answers what is wrong now; nil: nothing. It is called for every request of health or
// readiness, from several goroutines at once: it looks at what is known and waits for nothing.
type Check func() []Finding

// Checks are the registered checks. The zero value is ready for use; methods may be called
// at any time from any goroutine.
type Checks struct {
	mu     sync.Mutex
	checks []namedCheck
}

type namedCheck struct {
	name      string
	readiness bool
	check     Check
}

// Health registers a check of /healthz and /readyz: something is wrong that does not pass by
// itself. It panics if the name is taken: two rooms would read each other's findings.
func (c *Checks) Health(name string, check Check) { c.register(namedCheck{name, false, check}) }

// Ready registers a check of /readyz alone: something is not there yet, such as a
// partition that is still being restored. It panics if the name is taken.
func (c *Checks) Ready(name string, check Check) { c.register(namedCheck{name, true, check}) }

func (c *Checks) register(n namedCheck) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.checks {
		if other.name == n.name {
			panic("telemetry: two checks are named " + n.name)
		}
	}
	c.checks = append(c.checks, n)
}

// findings asks the checks of health, or all of them, and returns what is wrong, the
// instance's before its partitions', in the order of partitions.
func (c *Checks) findings(all bool) []Finding {
	c.mu.Lock()
	checks := slices.Clone(c.checks)
	c.mu.Unlock()
	found := []Finding{}
	for _, n := range checks {
		if n.readiness && !all {
			continue
		}
		for _, f := range n.check() {
			f.Check = n.name
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return int(a.Partition) - int(b.Partition) })
	return found
}
