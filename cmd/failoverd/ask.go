package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent"
)

// addressFlag adds --address beside --config: how status and explain find the
// agent.
func addressFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("address", "", "`host:port` of the agent's API (default: api.listen of the configuration)")
}

// askStatus asks a running agent for its status.
func askStatus(ctx context.Context, path, address string) (agent.Status, error) {
	var status agent.Status
	if address == "" {
		cfg, err := loadConfig(path)
		if err != nil {
			return status, err
		}
		address = cfg.API.Listen
	}
	return getStatus(ctx, http.DefaultClient, address, "with this api.listen?")
}

// bySocket says what to look at where the agent can't be reached over the control socket.
const bySocket = "with this api.socket, and are you root, its user, or of api.group?"

// statusBySocket asks it over the control socket.
func statusBySocket(ctx context.Context, socket string) (agent.Status, error) {
	return getStatus(ctx, overSocket(socket), "failoverd", bySocket)
}

// maxStatus is more than any status has, in bytes: each pod that can't leave its GPU takes about 400, and there may be thousands.
const maxStatus = 64 << 20

// getStatus asks the agent that a client reaches at an address; hint is what to look at if it can't.
func getStatus(ctx context.Context, client *http.Client, address, hint string) (agent.Status, error) {
	var status agent.Status
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/status", nil)
	if err != nil {
		return status, usageError{fmt.Errorf("--address %q: %w", address, err)}
	}
	resp, err := client.Do(req)
	if err != nil {
		return status, fmt.Errorf("ask the agent: %w; is `failoverd run` running here, %s", err, hint)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return status, fmt.Errorf("ask the agent at %s: it answers %s; is that failoverd?", address, resp.Status)
	}
	if status, err = readStatus(resp.Body, maxStatus); err != nil {
		return status, fmt.Errorf("ask the agent at %s: its answer is no status: %w; is that failoverd?", address, err)
	}
	return status, nil
}

// readStatus reads a status of so many bytes at most.
func readStatus(from io.Reader, most int64) (status agent.Status, err error) {
	limited := &io.LimitedReader{R: from, N: most + 1}
	if err = json.NewDecoder(limited).Decode(&status); err != nil && limited.N <= 0 {
		err = fmt.Errorf("it is longer than %d bytes", most)
	}
	return status, err
}

// showStatus asks a running agent and prints what it says: as it is for -o json, else with print.
func showStatus(ctx context.Context, out io.Writer, path, address, output string, print func(io.Writer, agent.Status)) error {
	status, err := askStatus(ctx, path, address)
	if err != nil {
		return err
	}
	if output == "json" {
		return printJSON(out, status)
	}
	print(out, status)
	return nil
}

// seconds prints a time for people.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d < 0 {
		d = 0
	}
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
