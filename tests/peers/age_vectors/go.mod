module provisioning/tests/peers/age_vectors

go 1.24

require c2sp.org/CCTV/age v0.0.0-20251208015420-e9274a7bdbfd
