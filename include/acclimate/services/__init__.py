"""The embedded services: Airflow, MLflow and the endpoint as processes on loopback."""
