//go:build !linux

package processor

import (
	"errors"
	"runtime"
)

func cpus() []int { return make([]int, runtime.NumCPU()) }

func pinThread(int) error {
	return errors.New("pin: on needs Linux; use pin: auto or off here")
}
