//! DynamoDB models whose connection follows the active AWS session.
