-- MLflow and Airflow each keep an alembic_version table: they cannot share a database.
CREATE DATABASE mlflow;
