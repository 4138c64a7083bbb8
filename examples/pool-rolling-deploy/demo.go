package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cloudlb/cloudlb/fakecloud"
)

const (
	instance = "eddc4d25480b4cd6b512f270a1b8b341"
	channel  = "56a7d7358e1b42459c9d7d1e7a1a4a4c"
)

// emulate is a cloud with a channel of six servers, and their machines, which run
// v1, in dir.
func emulate(dir string) (*fakecloud.Cloud, error) {
	cloud := fakecloud.New(fakecloud.WithRegion("cn-north-4"))
	var members []fakecloud.ChannelMember
	for i := range 6 {
		host := fmt.Sprintf("10.0.0.%d", i+1)
		members = append(members, fakecloud.ChannelMember{Host: host, Port: 80, Weight: new(10 * (i + 1))})
		machine := filepath.Join(dir, host)
		if err := os.Mkdir(machine, 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(machine, "release"), []byte("v1"), 0o600); err != nil {
			return nil, err
		}
	}
	cloud.AddVPCChannel(fakecloud.VPCChannel{ID: channel, InstanceID: instance, Members: members})
	return cloud, nil
}

// demonstrate runs this program twice on an emulator, and kills it the first
// time. The emulator listens on this machine, for the program is another process.
func demonstrate(ctx context.Context, stdout, stderr io.Writer) int {
	fail := func(err error) int {
		fmt.Fprintln(stderr, "pool-rolling-deploy:", err)
		return 1
	}
	dir, err := os.MkdirTemp("", "rolling-deploy")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	cloud, err := emulate(dir)
	if err != nil {
		return fail(err)
	}
	server, err := cloud.Listen("127.0.0.1:0") //nolint:contextcheck // it is closed below
	if err != nil {
		return fail(err)
	}
	defer server.Close()

	keys, err := cloud.Credentials(ctx)
	if err != nil {
		return fail(err)
	}
	program := func() (*exec.Cmd, error) {
		exe, err := os.Executable()
		cmd := exec.CommandContext(ctx, exe, "-endpoint", server.URL, "-instance", instance, "-channel", channel,
			"-release", "v2", "-machines", dir, "-journal", filepath.Join(dir, "journal"))
		cmd.Env = append(os.Environ(), "HUAWEICLOUD_SDK_AK="+keys.AccessKeyID, "HUAWEICLOUD_SDK_SK="+keys.SecretAccessKey, "HUAWEICLOUD_SDK_PROJECT_ID="+cloud.ProjectID())
		cmd.Stderr = stderr
		return cmd, err
	}

	first, err := program()
	if err != nil {
		return fail(err)
	}
	if err := killed(first, "deploying v2 to 10.0.0.3:80", stdout); err != nil {
		return fail(err)
	}
	state(cloud, dir, stdout)

	second, err := program()
	if err != nil {
		return fail(err)
	}
	second.Stdout = stdout
	if err := second.Run(); err != nil {
		return fail(err)
	}
	state(cloud, dir, stdout)
	return 0
}

// killed runs a command until it says something, and kills it then.
func killed(cmd *exec.Cmd, when string, stdout io.Writer) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	said := false
	for lines := bufio.NewScanner(out); !said && lines.Scan(); {
		fmt.Fprintln(stdout, lines.Text())
		said = lines.Text() == when
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) { // SIGKILL: it can do nothing about it
		return err
	}
	err = cmd.Wait()
	if err == nil || !said {
		return fmt.Errorf("it ended by itself: %w", errors.Join(err, errors.New("it was to be killed")))
	}
	fmt.Fprintln(stdout, "killed")
	return nil
}

// state shows who gets requests and who runs what.
func state(cloud *fakecloud.Cloud, dir string, stdout io.Writer) {
	var all []string
	for _, m := range cloud.State().VPCChannels[0].Members {
		release, err := os.ReadFile(filepath.Join(dir, m.Host, "release"))
		if err != nil {
			release = []byte(err.Error())
		}
		text := fmt.Sprintf("%s %s", m.Host, release)
		if m.Disabled {
			text += " (no requests)"
		}
		all = append(all, text)
	}
	fmt.Fprintln(stdout, "now:", strings.Join(all, ", "))
}
