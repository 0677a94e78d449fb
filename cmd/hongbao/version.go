package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionAnswer is what `version --json` prints.
type versionAnswer struct {
	Version  string `json:"version"`  // tag or pseudo-version; "(devel)" when built without version control
	Revision string `json:"revision"` // commit, empty when not known
	Go       string `json:"go"`
	Platform string `json:"platform"` // os/architecture
}

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			return a.answer(v, func(w io.Writer) {
				fmt.Fprintf(w, "hongbao %s, %s, %s\n", v.Version, v.Go, v.Platform)
			})
		},
	}
}

// buildVersion asks the build information that the go command writes into every binary.
func buildVersion() versionAnswer {
	v := versionAnswer{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	return v
}
