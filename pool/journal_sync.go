//go:build !windows

package pool

import (
	"errors"
	"os"
)

// syncDir makes a rename in a directory outlive a crash of the machine.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
