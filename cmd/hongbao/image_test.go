package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// The image runs this binary, without a shell, as a user without rights, and asks it for its health.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]string{} // instruction -> its arguments in the last stage
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "FROM" {
			clear(last)
		}
		last[word] = rest
	}
	if base := last["FROM"]; !strings.Contains(base, "distroless/static") && base != "scratch" {
		t.Errorf("the image is built on %s, want one without a shell", base)
	}
	if user, _, _ := strings.Cut(last["USER"], ":"); user == "" || strings.Trim(user, "0123456789") != "" || strings.Trim(user, "0") == "" {
		t.Errorf("the user is %q, want the number of one who is not root, so that an orchestrator can tell", last["USER"])
	}
	if last["ENTRYPOINT"] != `["/hongbao"]` {
		t.Errorf("the entry point is %s, want the binary without a shell around it, which would keep signals from it", last["ENTRYPOINT"])
	}
	_, health, _ := strings.Cut(last["HEALTHCHECK"], "CMD ")
	for what, words := range map[string]string{"CMD": last["CMD"], "HEALTHCHECK": health} {
		var args []string
		if err := json.Unmarshal([]byte(words), &args); err != nil || len(args) == 0 {
			t.Errorf("%s is %q, want a list of words without a shell", what, words)
			continue
		}
		args = slices.DeleteFunc(args, func(s string) bool { return s == "/hongbao" })
		if cmd, rest, err := newRootCommand(&app{}).Find(args); err != nil || len(rest) > 0 || !cmd.Runnable() {
			t.Errorf("%s runs %v, which is no command", what, args)
		}
	}
}
