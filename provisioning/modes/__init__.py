"""The modes that a workspace works in, from one person to an enterprise, as data."""
