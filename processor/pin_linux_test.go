package processor

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPin: pin on puts the thread on one core of the process's mask and reads the mask back.
func TestPin(t *testing.T) {
	t.Parallel()
	list := cpus()
	x := &Processor{cfg: Config{Pin: PinOn, Partitions: 1 << 20}}
	for p := range int32(len(list) + 1) {
		got, err := pinned(func() error { return x.pin(p) })
		want := list[int(p)%len(list)]
		if err != nil || got.Count() != 1 || !got.IsSet(want) {
			t.Errorf("worker %d: %d cores, core %d in the mask: %v (%v)", p, got.Count(), want, got.IsSet(want), err)
		}
	}
	for _, mode := range []PinMode{PinAuto, PinOff} { // auto pins only where each worker has a core
		x.cfg.Pin = mode
		if got, err := pinned(func() error { return x.pin(0) }); err != nil || got.Count() != len(list) {
			t.Errorf("mode %d: %d cores of %d: %v", mode, got.Count(), len(list), err)
		}
	}
	if _, err := pinned(func() error { return pinThread(1023) }); err == nil {
		t.Error("a core that is not there was accepted")
	}
}

// pinned runs fn on a thread of its own, which ends with it, and reads that thread's mask.
func pinned(fn func() error) (set unix.CPUSet, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = fn(); err == nil {
			err = unix.SchedGetaffinity(0, &set)
		}
	}()
	<-done
	return set, err
}
