package processor

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// cpus are the cores of the process's own mask, in order.
func cpus() []int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return make([]int, runtime.NumCPU())
	}
	var list []int
	for i := 0; len(list) < set.Count(); i++ {
		if set.IsSet(i) {
			list = append(list, i)
		}
	}
	return list
}

// pinThread locks the goroutine to its thread and the thread to one core, and reads the mask back:
// LockOSThread alone pins nothing. The thread keeps its mask until it ends, so it is never unlocked.
func pinThread(core int) error {
	runtime.LockOSThread()
	var set, got unix.CPUSet
	set.Set(core)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to core %d: %w", core, err)
	}
	if err := unix.SchedGetaffinity(0, &got); err != nil || got != set {
		return fmt.Errorf("pin to core %d: the mask read back is %v (%w)", core, got, err)
	}
	return nil
}
