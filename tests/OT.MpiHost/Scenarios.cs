using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using OT.Accelerators.Mpi;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Convex;
using OT.Solvers.Entropic;
using OT.Testing;

namespace OT.MpiHost;

/// <summary>What all ranks do, given the words behind its name.</summary>
delegate void Scenario(MpiCommunicator ranks, string[] words, Report report);

/// <summary>The scenarios by name.</summary>
static class Scenarios
{
    static readonly Dictionary<string, Scenario> ByName = new(StringComparer.Ordinal)
    {
        ["laws"] = Laws,
        ["solve"] = Solve,
        ["divergence"] = Divergence,
        ["resume"] = Resume,
        ["volume"] = Volume,
        ["speed"] = Speed,
        ["cancel"] = Cancel,
        ["time-limit"] = TimeLimit,
        ["cost-throws"] = CostThrows,
        ["throws"] = (ranks, _, _) => Fail(ranks, 1),
        ["all-throw"] = (_, _, _) => throw new InvalidOperationException("no way for anybody"),
        ["killed"] = Killed,
        ["diverge"] = Diverge,
        ["differ"] = Differ,
        ["estimates"] = Estimates,
        ["one-checkpoint"] = OneCheckpoint,
    };

    public static Scenario Find(string name) =>
        ByName.TryGetValue(name, out Scenario? scenario)
            ? scenario
            : throw new ArgumentException($"There is no scenario '{name}': there are {string.Join(", ", ByName.Keys)}.");

    static int Int(string word) => int.Parse(word, NumberStyles.Integer, CultureInfo.InvariantCulture);

    static double Double(string word) => double.Parse(word, NumberStyles.Float, CultureInfo.InvariantCulture);

    static DistributedBackend Backend(MpiCommunicator ranks) => new(new ManagedBackend(1), ranks);

    /// <summary>All contract laws of a kind: fewer rows than ranks run on one process.</summary>
    static void Laws(MpiCommunicator ranks, string[] words, Report report)
    {
        IBackend local = words[2] == "fused" ? new ManagedBackend(2) : new TwoPassBackend(new ManagedBackend(2));
        using var backend = new WhereRowsSuffice(new DistributedBackend(local, ranks), ranks.Size);
        // Each rank's part of a sum is rounded before the parts are added; and a second pass rounds once more.
        Precision precision = Enum.Parse<Precision>(words[1]);
        double published = (precision == Precision.Float64 ? 1e-13 : 1.5e-6) * (words[2] == "fused" ? 1 : 4);
        var laws = new BackendLaws(backend, precision) { Rounding = published };
        foreach (string kind in words[0] == "all" ? SomeGeometry.All : [words[0]])
        {
            laws.Minima(kind);
            laws.Iterations(kind);
            laws.Plans(kind);
        }
        laws.SmallCounts("points2");
        laws.SmallCounts("doubles");
        laws.WildGuesses("points2");
        if (precision == Precision.Float64)
            laws.OutOfRange();
        laws.Repeats("points3", 200, 150);
        laws.Cancellation("points2");
        laws.Cancellation("doubles");
        report.Text("laws", "hold");
    }

    /// <summary>solver, kind, n, m, epsilon: the result, the hash of its potentials on every rank, and the certificate.</summary>
    static void Solve(MpiCommunicator ranks, string[] words, Report report)
    {
        (string solver, string kind) = (words[0], string.Join(' ', words[1..^3]));
        (int n, int m, double epsilon) = (Int(words[^3]), Int(words[^2]), Double(words[^1]));
        using DistributedBackend backend = Backend(ranks);
        LinearProblem problem = ProblemOf(ranks, kind, n, m, epsilon, entropic: solver != "mirror");
        TransportResult result = Run(solver, problem, backend, CancellationToken.None);
        report.Result(result);
        SameBits(ranks, report, result);
        try
        {
            Certificate certificate = backend.Verify(result.Problem, result.Plan, result.Potentials);
            report.Number("primal", certificate.PrimalValue);
            report.Number("dual", certificate.DualValue ?? double.NaN);
            report.Number("gap", certificate.Gap ?? double.NaN);
        }
        catch (NotSupportedException e)
        {
            report.Text("refused", e.Message);
        }
        if (problem.Geometry is PointCloud && solver != "mirror" && kind != "custom")
        {
            PointGradient gradient = EntropicGradient.Of(result).Points(1);
            Same(ranks, report, "gradient", gradient.Source.Values);
        }
    }

    static TransportResult Run(string solver, LinearProblem problem, IBackend backend, CancellationToken cancellation) =>
        solver switch
        {
            "sinkhorn" => new Sinkhorn(new() { Tolerance = 1e-9 }, backend).Solve(problem, cancellation),
            "plain" => new Sinkhorn(
                new()
                {
                    Tolerance = 1e-9,
                    Acceleration = Acceleration.None,
                    FloatsFirst = false,
                },
                backend
            ).Solve(problem, cancellation),
            "newton-cg" => new SparseNewton(
                new() { Tolerance = 1e-9, LinearSolver = LinearSolver.ConjugateGradient },
                backend
            ).Solve(problem, cancellation),
            "newton-sns" => new SparseNewton(new() { Tolerance = 1e-9, Strategy = SparseNewtonStrategy.Sns }, backend).Solve(
                problem,
                cancellation
            ),
            "mirror" => new MirrorSinkhorn(new() { MaxIterations = 300 }, backend).Solve(problem, cancellation),
            _ => throw new ArgumentException($"There is no solver '{solver}' here."),
        };

    /// <summary>The same problem whatever the number of ranks; with "sharded" each rank makes only its own rows.</summary>
    static LinearProblem ProblemOf(MpiCommunicator ranks, string kind, int n, int m, double epsilon, bool entropic)
    {
        Geometry geometry;
        if (kind.StartsWith("sharded", StringComparison.Ordinal))
        {
            Geometry whole = SomeGeometry.Of(kind["sharded ".Length..], n, m);
            (int start, int end) = ranks.RowsOf(n);
            var block = new double[(end - start) * m];
            for (int i = start; i < end; i++)
                whole.CostRow(i, block.AsSpan((i - start) * m, m));
            geometry = new ShardedCosts(ranks, new CostMatrix(end - start, m, block));
        }
        else
        {
            geometry = SomeGeometry.Of(kind, n, m);
        }
        var random = new SeededRandom(5);
        double[] a = Array.ConvertAll(SomeGeometry.Draw(random, n), x => x + 0.1),
            b = Array.ConvertAll(SomeGeometry.Draw(random, m), x => x + 0.1);
        if (n > 2)
            a[n / 2] = 0;
        if (m > 2)
            b[m / 3] = 0;
        double massA = a.Sum(),
            massB = b.Sum();
        return new LinearProblem(
            geometry,
            Measure.Of(Array.ConvertAll(a, x => x / massA)),
            Measure.Of(Array.ConvertAll(b, x => x / massB))
        )
        {
            Regularizer = entropic ? Regularizer.Entropy(Epsilon.Absolute(epsilon)) : Regularizer.None,
        };
    }

    static void Divergence(MpiCommunicator ranks, string[] words, Report report)
    {
        using DistributedBackend backend = Backend(ranks);
        LinearProblem problem = ProblemOf(ranks, words[0], Int(words[1]), Int(words[2]), Double(words[3]), entropic: true);
        DivergenceResult result = new SinkhornDivergence(new() { Tolerance = 1e-9 }, backend).Solve(problem);
        report.Text("status", result.Status.ToString());
        report.Number("value", result.Value);
        Same(ranks, report, "weights", result.A);
        Same(ranks, report, "points", result.Points(1).Source.Values);
    }

    /// <summary>kind, n, m, epsilon: a run that goes on from a state gives the bits of the run that wrote it; a state of another problem is refused.</summary>
    static void Resume(MpiCommunicator ranks, string[] words, Report report)
    {
        using DistributedBackend backend = Backend(ranks);
        string kind = string.Join(' ', words[..^3]);
        LinearProblem problem = ProblemOf(ranks, kind, Int(words[^3]), Int(words[^2]), Double(words[^1]), entropic: true);
        var states = new List<SinkhornState>();
        var options = new SinkhornOptions
        {
            Tolerance = 1e-9,
            CheckpointEvery = 20,
            Checkpoint = states.Add,
        };
        TransportResult straight = new Sinkhorn(options, backend).Solve(problem);
        TransportResult resumed = new Sinkhorn(options, backend).Solve(problem, states[0]);
        bool same = straight.Potentials!.F.SequenceEqual(resumed.Potentials!.F) && straight.Value.Equals(resumed.Value);
        report.Text("same", same.ToString());
        try
        {
            new Sinkhorn(options, backend).Solve(problem with { PenaltyA = MarginalPenalty.KullbackLeibler(3) }, states[0]);
            report.Text("stale", "taken");
        }
        catch (ArgumentException e)
        {
            report.Text("stale", e.Message);
        }
    }

    static void SameBits(MpiCommunicator ranks, Report report, TransportResult result)
    {
        Same(ranks, report, "f", result.Potentials!.F);
        Same(ranks, report, "g", result.Potentials.G);
        Same(ranks, report, "numbers", [result.Value, result.TransportCost, result.MarginalError, result.Iterations]);
    }

    /// <summary>Throws unless every rank holds the same bits; reports a hash of them.</summary>
    static void Same(MpiCommunicator ranks, Report report, string what, ReadOnlySpan<double> values)
    {
        byte[] hash = System.Security.Cryptography.SHA256.HashData(MemoryMarshal.AsBytes(values));
        byte[] all = ranks.Gather<byte>(hash);
        for (int r = 0; r < ranks.Size; r++)
            Approx.True(
                all.AsSpan(r * hash.Length, hash.Length).SequenceEqual(hash),
                $"rank {r} holds other bits of {what} than rank {ranks.Rank}"
            );
        report.Text($"bits-{what}", Convert.ToHexString(hash));
    }

    /// <summary>n, m, iterations: bytes that all ranks gave for others in plain iterations, and what the cost model says.</summary>
    static void Volume(MpiCommunicator ranks, string[] words, Report report)
    {
        (int n, int m, int iterations) = (Int(words[0]), Int(words[1]), Int(words[2]));
        using DistributedBackend backend = Backend(ranks);
        LinearProblem problem = ProblemOf(ranks, "points2", n, m, 0.5, entropic: true);
        using ICostOperator op = backend.Bind(problem.Geometry);
        double[] f = new double[n],
            g = new double[m];
        SinkhornStep step = StepOf(problem, 0.5);
        (long bytes, long calls) = (ranks.BytesSent, ranks.Exchanges);
        op.Iterate(iterations, step, f, g, out _);
        long sent = ranks.BytesSent - bytes,
            made = ranks.Exchanges - calls;
        report.Count("bytes", ranks.Gather<long>([sent]).Sum());
        report.Count("exchanges", made);
        report.Count("modelled-bytes", iterations * DistributedCost.BytesPerIteration(n, m, ranks.Size));
        report.Count("modelled-exchanges", 1 + (iterations * DistributedCost.ExchangesPerIteration));
    }

    static SinkhornStep StepOf(LinearProblem problem, double epsilon) =>
        new()
        {
            Epsilon = epsilon,
            A = problem.A.Weights.ToArray(),
            B = problem.B.Weights.ToArray(),
            LogA = Array.ConvertAll(problem.A.Weights.ToArray(), Math.Log),
            LogB = Array.ConvertAll(problem.B.Weights.ToArray(), Math.Log),
        };

    /// <summary>n, m, iterations, threads: seconds of plain iterations on every rank, the slowest counted; a first call warms up.</summary>
    static void Speed(MpiCommunicator ranks, string[] words, Report report)
    {
        (int n, int m, int iterations, int threads) = (Int(words[0]), Int(words[1]), Int(words[2]), Int(words[3]));
        using IBackend backend = new DistributedBackend(new ManagedBackend(threads), ranks);
        using IBackend alone = new ManagedBackend(threads);
        LinearProblem problem = ProblemOf(ranks, "points3", n, m, 0.5, entropic: true);
        SinkhornStep step = StepOf(problem, 0.5);
        foreach ((string name, IBackend one) in (ReadOnlySpan<(string, IBackend)>)[("distributed", backend), ("alone", alone)])
        {
            if (ranks.Size > 1 && name == "alone")
                continue;
            using ICostOperator op = one.Bind(problem.Geometry);
            double[] f = new double[n],
                g = new double[m];
            op.Iterate(2, step, f, g, out _);
            var seconds = new List<double>();
            for (int repeat = 0; repeat < 3; repeat++)
            {
                long start = Stopwatch.GetTimestamp();
                op.Iterate(iterations, step, f, g, out _);
                seconds.Add(ranks.Gather<double>([Stopwatch.GetElapsedTime(start).TotalSeconds]).Max() / iterations);
            }
            report.Number($"seconds-{name}", seconds.Min());
        }
    }

    /// <summary>Only rank 1's token fires; all end as cancelled.</summary>
    static void Cancel(MpiCommunicator ranks, string[] words, Report report)
    {
        using DistributedBackend backend = Backend(ranks);
        LinearProblem problem = ProblemOf(ranks, string.Join(' ', words[1..]), 900, 900, 1e-3, entropic: words[0] != "mirror");
        using var source = new CancellationTokenSource();
        if (ranks.Rank == ranks.Size - 1)
            source.CancelAfter(1000);
        TransportResult result = words[0] switch
        {
            "sinkhorn" => new Sinkhorn(Endless, backend).Solve(problem, source.Token),
            "newton-cg" => new SparseNewton(
                new()
                {
                    Tolerance = 1e-300,
                    MaxIterations = int.MaxValue,
                    LinearSolver = LinearSolver.ConjugateGradient,
                    WarmupIterations = int.MaxValue - 2000,
                },
                backend
            ).Solve(problem, source.Token),
            _ => new MirrorSinkhorn(new() { MaxIterations = int.MaxValue, CertificateEvery = 0 }, backend).Solve(
                problem,
                source.Token
            ),
        };
        report.Result(result);
        SameBits(ranks, report, result);
    }

    static SinkhornOptions Endless =>
        new()
        {
            StopEarly = false,
            MaxIterations = int.MaxValue,
            Acceleration = Acceleration.None,
        };

    /// <summary>Each rank has another limit; the shortest counts for all.</summary>
    static void TimeLimit(MpiCommunicator ranks, string[] words, Report report)
    {
        using DistributedBackend backend = Backend(ranks);
        LinearProblem problem = ProblemOf(ranks, words[0], 900, 900, 1e-3, entropic: true);
        TransportResult result = new Sinkhorn(
            Endless with
            {
                TimeLimit = TimeSpan.FromSeconds(ranks.Rank == ranks.Size - 1 ? 0.3 : 1000),
            },
            backend
        ).Solve(problem);
        report.Result(result);
        SameBits(ranks, report, result);
    }

    /// <summary>A cost of the caller's own throws on one rank alone.</summary>
    static void CostThrows(MpiCommunicator ranks, string[] words, Report report)
    {
        bool here = ranks.Rank == ranks.Size - 1;
        int calls = 0;
        bool armed = false;
        var cost = GroundCost.Custom(
            (x, y) =>
                here && armed && Interlocked.Increment(ref calls) > Int(words[0])
                    ? throw new InvalidOperationException("the map is torn")
                    : Math.Abs(x[0] - y[0])
        );
        var points = new Matrix(300, 1, SomeGeometry.Draw(new SeededRandom(1), 300));
        var problem = new LinearProblem(new PointCloud(points, points, cost), Measure.Uniform(300), Measure.Uniform(300))
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.01)),
        };
        armed = true; // the points were looked at before
        using ICostOperator op = new DistributedBackend(new ManagedBackend(1, memoryLimit: 200_000), ranks).Bind(
            problem.Geometry
        );
        double[] f = new double[300],
            g = new double[300];
        op.Iterate(1000, StepOf(problem, 0.01), f, g, out _);
        report.Text("done", "and nothing was thrown");
    }

    static void Fail(MpiCommunicator ranks, int rank)
    {
        if (ranks.Rank == rank)
            throw new InvalidOperationException("no way for me");
        ranks.Gather<double>([1]); // waits for a rank that does not come
    }

    /// <summary>The last rank dies as by kill -9, in the middle of a solve.</summary>
    static void Killed(MpiCommunicator ranks, string[] words, Report report)
    {
        using DistributedBackend backend = Backend(ranks);
        LinearProblem problem = ProblemOf(ranks, "points2", 600, 600, 1e-3, entropic: true);
        if (ranks.Rank == ranks.Size - 1)
        {
            new Thread(() =>
            {
                Thread.Sleep(500);
                Process.Start("kill", ["-9", Environment.ProcessId.ToString(CultureInfo.InvariantCulture)])!.WaitForExit();
            })
            {
                IsBackground = true,
            }.Start();
        }
        new Sinkhorn(Endless, backend).Solve(problem);
    }

    /// <summary>what: rank 1 gives other costs, or iterates otherwise, than rank 0.</summary>
    static void Differ(MpiCommunicator ranks, string[] words, Report report)
    {
        bool other = ranks.Rank == 1;
        string what = words[0];
        using DistributedBackend backend = Backend(ranks);
        LinearProblem problem = ProblemOf(
            ranks,
            what == "kind" && other ? "doubles" : "points2",
            what == "shape" && other ? 51 : 50,
            50,
            0.5,
            entropic: true
        );
        if (what == "costs" && other)
        {
            var cloud = (PointCloud)problem.Geometry;
            double[] moved = cloud.Source.Values.ToArray();
            moved[7] = Math.BitIncrement(moved[7]);
            problem = new LinearProblem(new PointCloud(new Matrix(50, 2, moved), cloud.Target), problem.A, problem.B);
        }
        Precision precision = what == "precision" && other ? Precision.Float32 : Precision.Float64;
        using ICostOperator op = backend.Bind(problem.Geometry, precision);
        SinkhornStep step = StepOf(problem, 0.5);
        if (other)
        {
            step = what switch
            {
                "tolerance" => step with { Tolerance = 0.1 },
                "damping" => step with { TauB = 0.5 },
                "weights" => step with { B = Array.ConvertAll(step.B.ToArray(), w => w * 2) },
                _ => step,
            };
        }
        op.Iterate(what == "count" && other ? 2 : 3, step, new double[50], new double[50], out _);
        report.Text("done", "and nothing was thrown");
    }

    /// <summary>Ranks of unlike thread counts must decide alike by memory.</summary>
    static void Estimates(MpiCommunicator ranks, string[] words, Report report)
    {
        using var backend = new DistributedBackend(new ManagedBackend(1 + ranks.Rank), ranks);
        LinearProblem problem = ProblemOf(ranks, "euclidean", 60, 500, 0.5, entropic: true);
        long bytes = backend.EstimateBytes(problem.Geometry, Precision.Float64);
        Approx.True(ranks.Gather<long>([bytes]).All(other => other == bytes), "the ranks' estimates differ");
        report.Count("bytes", bytes);
    }

    /// <summary>kind, n, m, epsilon: only the last rank asks for checkpoints.</summary>
    static void OneCheckpoint(MpiCommunicator ranks, string[] words, Report report)
    {
        using DistributedBackend backend = Backend(ranks);
        string kind = string.Join(' ', words[..^3]);
        LinearProblem problem = ProblemOf(ranks, kind, Int(words[^3]), Int(words[^2]), Double(words[^1]), entropic: true);
        var states = new List<SinkhornState>();
        var options = new SinkhornOptions { Tolerance = 1e-9, CheckpointEvery = 20 };
        bool last = ranks.Rank == ranks.Size - 1;
        TransportResult result = new Sinkhorn(options with { Checkpoint = last ? states.Add : null }, backend).Solve(problem);
        Approx.True(states.Count > 0 == last, "states come to who asked for them");
        ulong number = SinkhornState.ProblemOf(problem);
        Approx.True(states.All(state => state.Problem == number), "a state has the number of its problem");
        report.Result(result);
        SameBits(ranks, report, result);
    }

    /// <summary>Rank 1 holds another epsilon than the others.</summary>
    static void Diverge(MpiCommunicator ranks, string[] words, Report report)
    {
        using DistributedBackend backend = Backend(ranks);
        LinearProblem problem = ProblemOf(ranks, "points2", 50, 50, ranks.Rank == 1 ? 0.2 : 0.1, entropic: true);
        new Sinkhorn(null, backend).Solve(problem);
    }
}
