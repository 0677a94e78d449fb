package main

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// guard ends a process that is too long at one seed: first it is asked where it stands, which ends a Go program, then it is killed.
type guard struct {
	process *os.Process
	longest time.Duration
	ask     *time.Timer
	kill    *time.Timer
	asked   atomic.Bool
}

func watch(p *os.Process, longest time.Duration) *guard {
	g := &guard{process: p, longest: longest}
	g.kill = time.AfterFunc(longest+quitMax, func() { _ = p.Kill() })
	g.ask = time.AfterFunc(longest, func() {
		g.asked.Store(true)
		_ = p.Signal(syscall.SIGQUIT)
	})
	return g
}

// next says that a seed has ended.
func (g *guard) next() {
	if !g.asked.Load() {
		g.ask.Reset(g.longest)
		g.kill.Reset(g.longest + quitMax)
	}
}

func (g *guard) stop() {
	g.ask.Stop()
	g.kill.Stop()
}

// fired says that the process was ended for its time.
func (g *guard) fired() bool { return g.asked.Load() }
