using System.Diagnostics;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>Why a run ends, what it says while it runs, what it refuses, and what it costs.</summary>
public class SinkhornStatusTests
{
    static LinearProblem Squares(int n, double epsilon = 0.01) =>
        new(new PointCloud(EntropicCase.Square(n, 1), EntropicCase.Square(n, 2)), Measure.Uniform(n), Measure.Uniform(n))
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)),
        };

    sealed class Sink(Action<SolverProgress> report) : IProgress<SolverProgress>
    {
        public void Report(SolverProgress value) => report(value);
    }

    [Theory]
    [InlineData(Acceleration.Auto)]
    [InlineData(Acceleration.None)]
    [InlineData(Acceleration.OverRelaxation)]
    public void The_iteration_limit_is_exact_and_the_iterate_usable(Acceleration acceleration)
    {
        foreach (int limit in (int[])[0, 1, 7, 23])
        {
            TransportResult result = Squares(30, 1e-3)
                .Solve(
                    new SinkhornOptions
                    {
                        MaxIterations = limit,
                        Tolerance = 1e-12,
                        Acceleration = acceleration,
                    }
                );
            Assert.Equal((SolverStatus.IterationLimit, limit), (result.Status, result.Iterations));
            Assert.True(double.IsFinite(result.Value) && double.IsFinite(result.MarginalError));
            Laws.PlanIsFeasible(result.Certify().FeasiblePlan, result.Problem);
        }
    }

    [Fact]
    public void A_time_limit_ends_the_run_and_keeps_the_iterate()
    {
        var clock = Stopwatch.StartNew();
        TransportResult result = Squares(1500, 1e-4)
            .Solve(
                new SinkhornOptions
                {
                    TimeLimit = TimeSpan.FromMilliseconds(150),
                    Tolerance = 1e-14,
                    MaxIterations = int.MaxValue,
                }
            );
        Assert.Equal(SolverStatus.TimeLimit, result.Status);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0.1, 3);
        Assert.True(double.IsFinite(result.Value));
        Assert.Equal(SolverStatus.TimeLimit, Squares(30).Solve(new SinkhornOptions { TimeLimit = TimeSpan.Zero }).Status);
        Assert.Equal(SolverStatus.Converged, Squares(30).Solve(new SinkhornOptions { TimeLimit = TimeSpan.MaxValue }).Status);
    }

    [Fact]
    public void CancelWithinBound()
    {
        LinearProblem problem = Squares(20_000, 1e-3);
        using var source = new CancellationTokenSource();
        long cancelledAt = 0;
        using var timer = new Timer(
            _ =>
            {
                cancelledAt = Stopwatch.GetTimestamp();
                source.Cancel();
            },
            null,
            700,
            Timeout.Infinite
        );
        TransportResult result = new Sinkhorn(new SinkhornOptions { Tolerance = 1e-14, MaxIterations = int.MaxValue }).Solve(
            problem,
            source.Token
        );
        TimeSpan late = Stopwatch.GetElapsedTime(cancelledAt);
        Assert.Equal(SolverStatus.Cancelled, result.Status);
        // A group of rows takes well under a millisecond; the rest is room for a busy machine.
        Assert.InRange(late.TotalSeconds, 0, 0.5);
        Assert.NotNull(result.Potentials);
    }

    /// <summary>A cancellation that comes when iterations are over must not spoil values unseen.</summary>
    [Theory]
    [InlineData("points2")]
    [InlineData("doubles")]
    [InlineData("grid")]
    public void Cancelling_at_any_report_leaves_values_that_are_those_of_the_plan(string kind)
    {
        LinearProblem problem = EntropicCase.Of(kind, 60, 50, 0.1);
        int reports = 0;
        problem.Solve(new SinkhornOptions { CheckEvery = 1, Progress = new Sink(_ => reports++) });
        for (int stopAt = 1; stopAt <= reports; stopAt++)
        {
            using var source = new CancellationTokenSource();
            int seen = 0;
            var options = new SinkhornOptions
            {
                CheckEvery = 1,
                Progress = new Sink(_ =>
                {
                    if (++seen == stopAt)
                        source.Cancel();
                }),
            };
            TransportResult result = new Sinkhorn(options).Solve(problem, source.Token);
            Assert.True(result.Status is SolverStatus.Cancelled or SolverStatus.Converged, result.Status.ToString());
            Assert.Equal(Oracles.TransportCost(problem.Geometry, result.Plan), result.TransportCost, 1e-12);
            Assert.Equal(result.Certify().MarginalError, result.MarginalError, 1e-12);
        }
    }

    [Fact]
    public void A_token_cancelled_before_the_start_is_obeyed()
    {
        TransportResult result = new Sinkhorn().Solve(Squares(40), new CancellationToken(canceled: true));
        Assert.Equal((SolverStatus.Cancelled, 0), (result.Status, result.Iterations));
    }

    [Fact]
    public void What_rounding_forbids_is_called_stalled()
    {
        TransportResult result = Squares(40).Solve(new SinkhornOptions { Tolerance = 1e-18, MaxIterations = 1_000_000 });
        Assert.Equal(SolverStatus.Stalled, result.Status);
        Assert.Contains("Float64", result.Message, StringComparison.Ordinal);
        Assert.InRange(result.MarginalError, 0, 1e-12);
        Assert.Throws<InvalidOperationException>(result.EnsureConverged);
        TransportResult single = Squares(40)
            .Solve(
                new SinkhornOptions
                {
                    Tolerance = 1e-12,
                    Precision = Precision.Float32,
                    MaxIterations = 100_000,
                }
            );
        Assert.Equal(SolverStatus.Stalled, single.Status);
        Assert.Contains("Float32", single.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MassMismatchInfeasible()
    {
        LinearProblem problem = EntropicCase.Of(SomeGeometry.Of("doubles", 2, 2), [0.5, 0.5], [0.5, 0.6], 0.1);
        TransportResult result = problem.Solve();
        Assert.Equal(SolverStatus.Infeasible, result.Status);
        Assert.Contains("1.1", result.Message, StringComparison.Ordinal);
        Assert.Equal(SolverStatus.Converged, problem.Penalised(1, 1).Solve().Status);
        Assert.Equal(SolverStatus.Converged, problem.Penalised(double.PositiveInfinity, 1).Solve().Status);
        // Within the slack of doubles the target is scaled, and that is said.
        TransportResult close = EntropicCase.Of(SomeGeometry.Of("doubles", 2, 2), [0.5, 0.5], [0.5, 0.5 + 5e-10], 0.1).Solve();
        Assert.Equal(SolverStatus.Converged, close.Status);
        Assert.Contains("scaled", close.Message, StringComparison.Ordinal);
        Laws.PlanIsFeasible(close.Certify().FeasiblePlan, close.Problem);
    }

    [Fact]
    public void A_row_or_column_without_a_partner_is_named()
    {
        const double no = double.PositiveInfinity;
        double[] a = [0.25, 0.25, 0.5],
            b = [0.5, 0.5];
        TransportResult row = EntropicCase.Of(new CostMatrix(3, 2, [1, 2, no, no, 1, 1]), a, b, 0.1).Solve();
        Assert.Equal(SolverStatus.Infeasible, row.Status);
        Assert.Contains("Row 1", row.Message, StringComparison.Ordinal);
        TransportResult column = EntropicCase.Of(new CostMatrix(3, 2, [1, no, 2, no, 1, no]), a, b, 0.1).Solve();
        Assert.Equal(SolverStatus.Infeasible, column.Status);
        Assert.Contains("Column 1", column.Message, StringComparison.Ordinal);
        // A partner of weight zero is none.
        TransportResult zero = EntropicCase.Of(new CostMatrix(3, 2, [1, 2, no, 1, 1, 1]), a, [1, 0], 0.1).Solve();
        Assert.Equal(SolverStatus.Infeasible, zero.Status);
        // An empty row needs no partner.
        Assert.Equal(
            SolverStatus.Converged,
            EntropicCase.Of(new CostMatrix(3, 2, [1, 2, no, no, 1, 1]), [0.5, 0, 0.5], b, 0.1).Solve().Status
        );
    }

    [Fact]
    public void Rows_that_compete_for_one_column_never_converge_and_never_become_NaN()
    {
        const double no = double.PositiveInfinity;
        TransportResult result = EntropicCase
            .Of(new CostMatrix(3, 2, [1, no, 1, no, 1, 1]), [0.4, 0.4, 0.2], [0.3, 0.7], 0.1)
            .Solve(new SinkhornOptions { MaxIterations = 20_000 });
        Assert.True(
            result.Status is SolverStatus.Stalled or SolverStatus.IterationLimit or SolverStatus.Infeasible,
            result.Status.ToString()
        );
        Assert.True(double.IsFinite(result.MarginalError) && result.MarginalError > 0.5);
    }

    /// <summary>With a penalty, a bin without a partner stays at home: it pays ρ times its weight.</summary>
    [Fact]
    public void A_penalised_bin_without_a_partner_pays_its_penalty()
    {
        const double no = double.PositiveInfinity;
        double[] a = [0.25, 0.25, 0.5],
            b = [0.5, 0.3, 0.2];
        LinearProblem full = EntropicCase
            .Of(new CostMatrix(3, 3, [1, 0.5, no, no, no, no, 0.2, 1, no]), a, b, 0.1)
            .Penalised(2, 3);
        TransportResult expected = EntropicCase
            .Of(new CostMatrix(2, 2, [1, 0.5, 0.2, 1]), [a[0], a[2]], [b[0], b[1]], 0.1)
            .Penalised(2, 3)
            .Solve(EntropicCase.Tight);
        TransportResult result = full.Solve(EntropicCase.Tight);
        Assert.Equal(SolverStatus.Converged, result.Status);
        Assert.Equal(expected.TransportCost, result.TransportCost, 1e-9);
        // Pairs that are forbidden or belong to dropped bins still count in KL(P | a bᵀ), with their product mass.
        double idle = 0.1 * (1 - ((a[0] + a[2]) * (b[0] + b[1])));
        Assert.Equal(expected.Value + (2 * a[1]) + (3 * b[2]) + idle, result.Value, 1e-9);
    }

    [Fact]
    public void An_epsilon_below_resolution_is_refused_with_the_smallest_one()
    {
        LinearProblem problem = EntropicCase.Of(new CostMatrix(1, 2, [0, 1]), [1], [0.5, 0.5], 1e-15);
        var refusal = Assert.Throws<ArgumentException>(() => problem.Solve());
        Assert.Contains("5.68434E-14", refusal.Message, StringComparison.Ordinal);
        refusal = Assert.Throws<ArgumentException>(() =>
            EntropicCase
                .Of(new CostMatrix(1, 2, [0, 1]), [1], [0.5, 0.5], 1e-6)
                .Solve(new SinkhornOptions { Precision = Precision.Float32 })
        );
        Assert.Contains("Float32", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("3.05176E-05", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_solved_is_refused_in_words()
    {
        var exact = new LinearProblem(new CostMatrix(1, 1, [1.0]), Measure.Uniform(1), Measure.Uniform(1));
        Assert.False(Sinkhorn.Supports(exact));
        Assert.Contains(
            "NetworkSimplex",
            Assert.Throws<NotSupportedException>(() => exact.Solve()).Message,
            StringComparison.Ordinal
        );
        LinearProblem problem = Squares(5);
        Assert.Throws<ArgumentException>(() => new Sinkhorn().Solve(problem, new Potentials([1], [1, 2, 3, 4, 5])));
        Assert.Throws<ArgumentNullException>(() => new Sinkhorn().Solve(problem, (Potentials)null!));
        foreach (
            SinkhornOptions wrong in (SinkhornOptions[])
                [
                    new() { Tolerance = 0 },
                    new() { Tolerance = double.NaN },
                    new() { MaxIterations = -1 },
                    new() { CheckEvery = 0 },
                    new() { CheckpointEvery = 0 },
                    new() { TimeLimit = TimeSpan.FromSeconds(-2) },
                    new() { Schedule = new EpsilonSchedule { Decay = 1 } },
                    new() { Schedule = new EpsilonSchedule { Start = 0 } },
                    new() { Schedule = new EpsilonSchedule { IterationsPerLevel = 0 } },
                ]
        )
            Assert.ThrowsAny<ArgumentException>(() => new Sinkhorn(wrong));
    }

    [Fact]
    public void Progress_reports_rise_and_errors_are_those_reported()
    {
        var reports = new List<SolverProgress>();
        TransportResult result = Squares(60, 3e-3)
            .Solve(
                new SinkhornOptions
                {
                    CheckEvery = 5,
                    Acceleration = Acceleration.None,
                    Schedule = EpsilonSchedule.None,
                    Tolerance = 1e-8,
                    Progress = new Sink(reports.Add),
                }
            );
        Assert.Equal(SolverStatus.Converged, result.Status);
        Assert.Equal(result.Errors, reports.Select(r => r.Error));
        Assert.Equal(result.Iterations, reports[^1].Iteration);
        Assert.All(reports.SkipLast(1), r => Assert.Equal(0, r.Iteration % 5));
        Assert.All(reports, r => Assert.InRange(r.Fraction, 0, 1));
        Assert.Equal(1, reports[^1].Fraction, 0.3);
        for (int k = 1; k < reports.Count; k++)
        {
            Assert.True(reports[k].Iteration > reports[k - 1].Iteration && reports[k].Elapsed >= reports[k - 1].Elapsed);
            // Plain iterations never raise the L1 error, but for rounding.
            Assert.True(reports[k].Error <= reports[k - 1].Error * (1 + 1e-9));
        }
    }

    [Theory]
    [InlineData("points2")]
    [InlineData("doubles")]
    [InlineData("cityblock")]
    [InlineData("grid")]
    public void The_loop_allocates_nothing(string kind)
    {
        LinearProblem problem = EntropicCase.Of(kind, 60, 80, 0.05);
        using var backend = new ManagedBackend(1);
        // Auto is Anderson's, and now and then a step of Newton's, whose factor is as large as the plan happens to need.
        foreach (Acceleration acceleration in Enum.GetValues<Acceleration>().Except([Acceleration.Auto]))
        {
            // Code that the runtime has not optimised yet may box; the best of many tries has none of that. Few enough iterations that rounding does not end them.
            long least = long.MaxValue;
            for (int attempt = 0; attempt < 100 && least > 1000; attempt++)
            {
                least = Math.Min(least, Measured(60) - Measured(20));
                Thread.Sleep(least > 1000 ? 10 : 0);
            }
            // Errors are kept: 8 bytes per check, in arrays that double and are copied once at the end.
            Assert.True(least <= 1000, $"{acceleration}: {least} bytes in 40 iterations");

            long Measured(int iterations)
            {
                var solver = new Sinkhorn(
                    new SinkhornOptions
                    {
                        Tolerance = 1e-300,
                        MaxIterations = iterations,
                        CheckEvery = 20,
                        Acceleration = acceleration,
                    },
                    backend
                );
                long before = GC.GetAllocatedBytesForCurrentThread();
                solver.Solve(problem);
                return GC.GetAllocatedBytesForCurrentThread() - before;
            }
        }
    }

    [Fact]
    public void ByteCeilingHonoured()
    {
        LinearProblem problem = Squares(300);
        using var tight = new ManagedBackend(1, 1000);
        Assert.Throws<BackendException>(() => new Sinkhorn(null, tight).Solve(problem));
        // Floats first would take more than doubles alone: then doubles are used alone.
        LinearProblem stored = EntropicCase.Of("doubles", 600, 600, 0.1);
        using var probe = new ManagedBackend(1);
        using var enough = new ManagedBackend(1, probe.EstimateBytes(stored.Geometry, Precision.Float64));
        TransportResult result = new Sinkhorn(null, enough).Solve(stored);
        Assert.Equal(SolverStatus.Converged, result.Status);
    }

    /// <summary>4.9e9 pairs would be 39 GB of doubles.</summary>
    [Fact]
    public void N70000Streamed()
    {
        Assert.SkipUnless(Law.FullEffort, "Runs with OT_EFFORT=full.");
        const int n = 70_000;
        LinearProblem problem = Squares(n, 0.05);
        // One thread, so that what it takes can be told from what other tests take.
        using var backend = new ManagedBackend(1);
        long before = GC.GetAllocatedBytesForCurrentThread();
        TransportResult result = new Sinkhorn(new SinkhornOptions { MaxIterations = 3, Tolerance = 1e-12 }, backend).Solve(
            problem
        );
        long taken = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(SolverStatus.IterationLimit, result.Status);
        Assert.True(double.IsFinite(result.Value) && result.MarginalError < 0.5);
        // In vectors of n doubles: 64 chunks of column sums in floats' operator and 64 in doubles', 128 of the final pass, 48 of the acceleration's history, and
        // some 120 of everything else. All pairs would be 70 000.
        Assert.InRange(taken, 0, 450L * n * sizeof(double));
    }

    [Theory]
    [InlineData(1e-200)]
    [InlineData(1e200)]
    public void A_mass_whose_square_no_double_holds_is_refused(double mass)
    {
        Measure a = Measure.Of([mass / 2, mass / 2]);
        var problem = new LinearProblem(new CostMatrix(2, 2, [0, 1, 1.0, 0]), a, a) { Regularizer = Regularizer.Entropy() };
        Assert.Contains(
            "scale the weights",
            Assert.Throws<ArgumentException>(() => problem.Solve()).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>ε beyond which the rounding of the entropy hides the costs is refused; just below, the value still has six digits.</summary>
    [Fact]
    public void An_epsilon_that_hides_the_costs_is_refused()
    {
        Measure a = Measure.Uniform(2);
        LinearProblem At(double epsilon) =>
            new(new CostMatrix(2, 2, [0, 1, 2.0, 3]), a, a) { Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)) };
        Assert.Contains(
            "the largest is",
            Assert.Throws<ArgumentException>(() => At(1e16).Solve()).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(1.5, At(3e9).Solve().Value, 1e-6);
    }

    /// <summary>Where rounding keeps the plan of the final potentials from the tolerance, no status says that it was met.</summary>
    [Fact]
    public void Converged_means_that_the_reported_error_is_within_the_tolerance()
    {
        foreach (Precision precision in Enum.GetValues<Precision>())
        {
            for (ulong seed = 1; seed <= 60; seed++)
            {
                LinearProblem problem = EntropicCase.Of("doubles", 9, 8, Math.Pow(10, -1 - (int)(seed % 4)), seed);
                double tolerance = precision == Precision.Float64 ? 1e-14 : 1e-5;
                TransportResult result;
                try
                {
                    result = problem.Solve(
                        new SinkhornOptions
                        {
                            Precision = precision,
                            Tolerance = tolerance,
                            MaxIterations = 3000,
                        }
                    );
                }
                catch (ArgumentException e) when (e.Message.Contains("the smallest is", StringComparison.Ordinal))
                {
                    continue;
                }
                Assert.False(result.Converged && result.MarginalError > tolerance, $"seed {seed}: {result.MarginalError:E2}");
            }
        }
    }

    /// <summary>Two clusters so far apart that their squared norms would swallow the costs inside each.</summary>
    [Fact]
    public void Distant_clusters_converge_as_their_matrix_does()
    {
        var random = new SeededRandom(5);
        Matrix Cloud() => new(40, 2, [.. Enumerable.Range(0, 80).Select(k => random.NextDouble() + (k < 40 ? 0 : 1e5))]);
        Matrix x = Cloud(),
            y = Cloud();
        Measure a = Measure.Uniform(40);
        var points = new LinearProblem(new PointCloud(x, y), a, a) { Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.01)) };
        TransportResult result = points.Solve(new SinkhornOptions { Tolerance = 1e-8 });
        Assert.True(result.Converged, $"{result.Status}: {result.MarginalError:E2}");
        Assert.InRange(result.Iterations, 1, 500);
    }

    /// <summary>A penalised bin none of whose pairs is allowed keeps its mass at home, on either side, and the dual knows.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Mass_that_stays_at_home_is_certified(bool transposed)
    {
        double inf = double.PositiveInfinity;
        double[] costs = transposed ? [inf, 1, inf, 2] : [inf, inf, 1, 2];
        Measure a = Measure.Uniform(2);
        LinearProblem problem = new LinearProblem(new CostMatrix(2, 2, costs), a, a)
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.1)),
        }.Penalised(1, 1);
        TransportResult result = problem.Solve(new SinkhornOptions { Tolerance = 1e-12 });
        Assert.True(result.Converged);
        Certificate certificate = result.Certify();
        Assert.InRange(certificate.MarginalError, 0, 1e-11);
        Assert.InRange(certificate.Gap!.Value, 0, 1e-9);
    }

    [Fact]
    public void Costs_at_the_edge_of_underflow_are_refused()
    {
        Measure a = Measure.Uniform(2);
        var problem = new LinearProblem(new CostMatrix(2, 2, [0, 1e-310, 1e-310, 0]), a, a)
        {
            Regularizer = Regularizer.Entropy(),
        };
        Assert.Contains(
            "the smallest is 1E-290",
            Assert.Throws<ArgumentException>(() => problem.Solve()).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>The mean of such costs needs a look at every pair, which the limit stops too.</summary>
    [Fact]
    public void The_time_limit_holds_for_the_first_look_at_the_costs()
    {
        Matrix points = new(2000, 1, [.. Enumerable.Range(0, 2000).Select(k => (double)k)]);
        Measure a = Measure.Uniform(2000);
        var problem = new LinearProblem(new PointCloud(points, points, GroundCost.Euclidean), a, a)
        {
            Regularizer = Regularizer.Entropy(),
        };
        TransportResult result = problem.Solve(new SinkhornOptions { TimeLimit = TimeSpan.Zero });
        Assert.Equal(SolverStatus.TimeLimit, result.Status);
        Assert.Equal(0, result.Iterations);
        Assert.Contains("first look", result.Message, StringComparison.Ordinal);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Equal(SolverStatus.Cancelled, new Sinkhorn().Solve(problem, cancelled.Token).Status);
    }

    [Fact]
    public void An_infeasible_result_says_that_there_is_nothing_to_certify()
    {
        var costs = new CostMatrix(
            new[,]
            {
                { 1, double.PositiveInfinity },
                { 2, double.PositiveInfinity },
            }
        );
        TransportResult result = new Sinkhorn().Solve(
            new LinearProblem(costs, Measure.Of([0.25, 0.75]), Measure.Of([0.5, 0.5])) { Regularizer = Regularizer.Entropy() }
        );
        Assert.Equal(SolverStatus.Infeasible, result.Status);
        Assert.Contains(
            "No plan exists",
            Assert.Throws<InvalidOperationException>(result.Certify).Message,
            StringComparison.Ordinal
        );
    }
}
