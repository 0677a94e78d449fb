package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// instance is one `hongbao run`.
type instance struct {
	cmd   *exec.Cmd
	ended chan struct{}
	at    time.Time // when it was seen to have ended
}

// record is what a killed process left (crashpoint.Record).
type record struct {
	Label        string `json:"label"`
	PID          int    `json:"pid"`
	Transactions int64  `json:"transactions"`
	Coupons      int64  `json:"coupons"`
	Commits      int64  `json:"commits"`
}

// busy says whether the kill met something.
func (r *record) busy() bool { return r.Transactions > 0 || r.Coupons > 0 }

func (s *site) start(name, data string, env ...string) (*instance, error) {
	log, err := os.OpenFile(filepath.Join(s.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()                      //nolint:errcheck // the child has its own
	cmd := exec.Command(s.o.binary, "run") //nolint:gosec,noctx // the program under test; it is waited for
	cmd.Env = append(s.env(name, data), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	i := &instance{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // ProcessState says it
		i.at = time.Now()
		close(i.ended)
	}()
	return i, nil
}

// env is the environment of every process of a site.
func (s *site) env(name, data string) []string {
	return append(os.Environ(),
		"HONGBAO_BROKERS="+s.parts.brokers, "HONGBAO_REDIS="+s.proxy.addr(), "HONGBAO_PREFIX="+s.parts.prefix,
		"HONGBAO_INSTANCE="+name, "HONGBAO_DATA="+data, "HONGBAO_LISTEN=127.0.0.1:0", "HONGBAO_LOG_LEVEL=warn",
		"HONGBAO_CODE_KEYS="+filepath.Join(s.dir, "keys.yaml"), "HONGBAO_CAMPAIGNS="+filepath.Join(s.dir, "campaign.yaml"),
		"HONGBAO_SYNC="+s.sync, "HONGBAO_CRASH=", "HONGBAO_CRASH_LOG="+s.crashLog(), "HONGBAO_CRASH_CHECKPOINT=1s",
	)
}

func (s *site) crashLog() string { return filepath.Join(s.dir, "crash.log") }

// killed says whether the instance ended by SIGKILL, and not by itself.
func (i *instance) killed() bool { return i.endedBy(syscall.SIGKILL) }

// stopped says whether it ended because it was asked to, in order or before it could listen.
func (i *instance) stopped() bool {
	return i.cmd.ProcessState.Success() || i.endedBy(syscall.SIGTERM)
}

func (i *instance) endedBy(sig syscall.Signal) bool {
	w, ok := i.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && w.Signaled() && w.Signal() == sig
}

// lastRecord is the line of the process that was killed last, which must be i.
func (s *site) lastRecord(i *instance) (*record, error) {
	text, err := os.ReadFile(s.crashLog())
	if err != nil {
		return nil, err
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	var r record
	if err := json.Unmarshal(lines[len(lines)-1], &r); err != nil {
		return nil, err
	}
	if r.PID != i.cmd.Process.Pid {
		return nil, fmt.Errorf("process %d left no record, the last one is of %d", i.cmd.Process.Pid, r.PID)
	}
	return &r, nil
}

// stop ends an instance in order.
func (i *instance) stop(patience time.Duration) error {
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-i.ended:
	case <-time.After(patience):
		_ = i.cmd.Process.Kill()
		<-i.ended
		return fmt.Errorf("process %d did not end within %s of SIGTERM", i.cmd.Process.Pid, patience)
	}
	if !i.cmd.ProcessState.Success() {
		return fmt.Errorf("process %d was asked to stop and ended with %s", i.cmd.Process.Pid, i.cmd.ProcessState)
	}
	return nil
}
