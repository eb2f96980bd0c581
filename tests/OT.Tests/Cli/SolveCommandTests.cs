using System.Text.Json;
using OT.IO;
using OT.Results;
using OT.Tests.IO;
using Xunit;

namespace OT.Tests.Cli;

public sealed class SolveCommandTests : IDisposable
{
    readonly GoldenFiles _files = new();

    [Fact]
    public void Exact_golden_value_with_its_certificate()
    {
        JsonElement report = Ot.Json(_files.Args("solve"));
        Assert.Equal("Converged", report.GetProperty("status").GetString());
        Assert.Equal("network-simplex", report.GetProperty("method").GetString());
        Assert.Equal(0.23, report.Number("value"), 1e-12);
        Assert.Equal(0.23, report.Number("transportCost"), 1e-12);
        Assert.InRange(report.Number("lowerBound"), 0.23 - 1e-9, 0.23 + 1e-15);
        Assert.InRange(report.Number("gap"), 0, 1e-9);
        Assert.InRange(report.Number("marginalError"), 0, 1e-12);
        Assert.Equal((5, 3), (report.GetProperty("rows").GetInt32(), report.GetProperty("columns").GetInt32()));
        Assert.Equal(0, report.Number("epsilon"));
    }

    [Fact]
    public void Every_promised_key_is_there()
    {
        JsonElement report = Ot.Json(_files.Args("solve"));
        foreach (
            string key in (string[])
                [
                    "status",
                    "method",
                    "why",
                    "value",
                    "transportCost",
                    "dualValue",
                    "lowerBound",
                    "gap",
                    "marginalError",
                    "iterations",
                    "epsilon",
                    "backend",
                    "precision",
                    "threads",
                    "rows",
                    "columns",
                    "seconds",
                ]
        )
            Assert.True(report.TryGetProperty(key, out _), key);
    }

    [Fact]
    public void Entropic_golden_value()
    {
        JsonElement report = Ot.Json(_files.Args("solve", "--epsilon", "0.1", "--tolerance", "1e-12"));
        Assert.Equal("sinkhorn", report.GetProperty("method").GetString());
        // Ten digits are what the reference gives.
        Assert.Equal(0.2506649150, report.Number("value"), 1e-10);
        Assert.Equal(0.2399010252, report.Number("transportCost"), 1e-10);
        Assert.Equal(0.2506649150, report.Number("dualValue"), 1e-10);
        Assert.InRange(report.Number("gap"), 0, 1e-9);
        Assert.True(report.Number("lowerBound") <= 0.23 + 1e-12);
    }

    [Fact]
    public void Unbalanced_golden_value()
    {
        JsonElement report = Ot.Json(
            _files.Args("solve", "--epsilon", "0.1", "--rho-source", "1", "--rho-target", "1", "--tolerance", "1e-12")
        );
        Assert.Equal(0.2327211270, report.Number("value"), 1e-10);
        Assert.Equal(JsonValueKind.Null, report.GetProperty("lowerBound").ValueKind);
    }

    /// <summary>A small ρ leaves mass at home, and a large one is a hard marginal.</summary>
    [Fact]
    public void Total_variation()
    {
        string[] Args(string rho) =>
            _files.Args(
                "solve",
                "--epsilon",
                "0.1",
                "--rho-source",
                rho,
                "--rho-target",
                rho,
                "--penalty",
                "tv",
                "--tolerance",
                "1e-12"
            );
        JsonElement cheap = Ot.Json(Args("0.1"));
        Assert.StartsWith("certified", cheap.GetProperty("certificate").GetString(), StringComparison.Ordinal);
        Assert.True(cheap.Number("penaltyValueSource") + cheap.Number("penaltyValueTarget") > 0.01);
        Assert.Equal(0.2506649150, Ot.Json(Args("1e6")).Number("value"), 1e-9); // the balanced value
    }

    [Fact]
    public void Greenkhorn_gives_the_value_of_Sinkhorn()
    {
        JsonElement report = Ot.Json(_files.Args("solve", "--method", "greenkhorn", "--epsilon", "0.1", "--tolerance", "1e-12"));
        Assert.Equal("greenkhorn", report.GetProperty("method").GetString());
        Assert.Equal(0.2506649150, report.Number("value"), 1e-9);
        Assert.StartsWith("certified", report.GetProperty("certificate").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void SparseNewton_gives_the_value_of_Sinkhorn_and_refuses_penalties()
    {
        JsonElement report = Ot.Json(
            _files.Args("solve", "--method", "sparse-newton", "--epsilon", "0.01", "--tolerance", "1e-12", "--threads", "2")
        );
        Assert.Equal("sparse-newton", report.GetProperty("method").GetString());
        JsonElement sinkhorn = Ot.Json(_files.Args("solve", "--method", "sinkhorn", "--epsilon", "0.01", "--tolerance", "1e-12"));
        Assert.Equal(sinkhorn.Number("value"), report.Number("value"), 1e-11);
        Assert.StartsWith("certified", report.GetProperty("certificate").GetString(), StringComparison.Ordinal);
        Outcome refused = Ot.Run(_files.Args("solve", "--method", "sparse-newton", "--rho-source", "1"));
        Assert.NotEqual(0, refused.Code);
        Assert.Contains("--method sinkhorn", refused.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sinkhorn")]
    [InlineData("sparse-newton")]
    [InlineData("greenkhorn")]
    public void A_trace_holds_the_errors_on_the_way(string method)
    {
        string trace = _files["trace.csv"];
        JsonElement report = Ot.Json(
            _files.Args("solve", "--method", method, "--epsilon", "0.02", "--tolerance", "1e-10", "--trace", trace)
        );
        string[] lines = File.ReadAllLines(trace);
        Assert.Equal("iteration,seconds,error", lines[0]);
        double[][] looks =
        [
            .. lines
                .Skip(1)
                .Select(line =>
                    Array.ConvertAll(line.Split(','), v => double.Parse(v, System.Globalization.CultureInfo.InvariantCulture))
                ),
        ];
        Assert.True(looks.Length >= 2);
        Assert.True(looks[^1][2] <= 1e-10 && looks[0][2] > looks[^1][2]);
        Assert.True(looks[^1][0] <= report.GetProperty("iterations").GetInt32());
        Assert.All(looks.Zip(looks.Skip(1)), pair => Assert.True(pair.First[1] <= pair.Second[1] + 1e-3));
    }

    [Fact]
    public void Epsilon_may_be_a_multiple_of_a_statistic()
    {
        // The mean of the 15 costs is 4.4/15.
        JsonElement report = Ot.Json(_files.Args("solve", "--epsilon", "0.5", "--epsilon-scale", "mean"));
        Assert.Equal(0.5 * 4.4 / 15, report.Number("epsilon"), 1e-15);
        report = Ot.Json(_files.Args("solve", "--method", "sinkhorn"));
        Assert.Equal(0.05 * 4.4 / 15, report.Number("epsilon"), 1e-15);
        report = Ot.Json(_files.Args("solve", "--epsilon", "0.1", "--epsilon-scale", "max"));
        Assert.Equal(0.05, report.Number("epsilon"), 1e-15);
    }

    [Fact]
    public void The_table_for_people_names_the_verdict()
    {
        Outcome outcome = Ot.Run(_files.Args("solve"));
        Assert.Equal(0, outcome.Code);
        foreach (
            string word in (string[])["status", "method", "why", "value", "lower bound", "gap", "marginal error", "certified"]
        )
            Assert.Contains(word, outcome.Output, StringComparison.Ordinal);
        Assert.Equal("", outcome.Error);
    }

    [Theory]
    [InlineData("plan.csv")]
    [InlineData("plan.npy")]
    [InlineData("plan.npz")]
    public void A_written_plan_and_its_potentials_pass_certify(string plan)
    {
        string[] files = ["--plan", _files[plan], "--potentials", _files["fg.npz"]];
        Assert.Equal(0, Ot.Run(_files.Args("solve", files)).Code);
        JsonElement report = Ot.Json(_files.Args("certify", files));
        Assert.Equal("Certified", report.GetProperty("status").GetString());
        Assert.Equal(0.23, report.Number("transportCost"), 1e-12);
        Assert.InRange(report.Number("gap"), 0, 1e-9);

        Assert.Equal(0, Ot.Run(_files.Args("solve", [.. files, "--epsilon", "0.1", "--tolerance", "1e-10"])).Code);
        report = Ot.Json(_files.Args("certify", [.. files, "--epsilon", "0.1"]));
        Assert.Equal(0.2506649150, report.Number("value"), 1e-9);
    }

    [Fact]
    public void Csv_plan_is_triples_from_zero()
    {
        Ot.Run(_files.Args("solve", "--plan", _files["p.csv"]));
        string[] lines = File.ReadAllLines(_files["p.csv"]);
        Assert.Equal("row,column,mass", lines[0]);
        double[][] triples = [.. lines.Skip(1).Select(line => line.Split(',').Select(double.Parse).ToArray())];
        Assert.Equal(1, triples.Sum(triple => triple[2]), 1e-12);
        double[,] costs =
        {
            { .1, .2, .3 },
            { .2, .3, .4 },
            { .4, .3, .2 },
            { .3, .2, .1 },
            { .5, .5, .4 },
        };
        Assert.Equal(0.23, triples.Sum(triple => triple[2] * costs[(int)triple[0], (int)triple[1]]), 1e-12);
    }

    [Fact]
    public void The_same_answer_from_text_arrays_archives_and_standard_input()
    {
        double[] costs = [.1, .2, .3, .2, .3, .4, .4, .3, .2, .3, .2, .1, .5, .5, .4];
        NpyFile.Write(_files["c.npy"], costs, 5, 3);
        NpzFile.Write(_files["all.npz"], ("a", new NpyArray([.3, .4, .1, .1, .1], 5)), ("c", new NpyArray(costs, 5, 3)));
        double expected = Ot.Json(_files.Args("solve")).Number("value");
        Assert.Equal(expected, Ot.Json("solve", _files.A, _files.B, "--cost-matrix", _files["c.npy"]).Number("value"));
        Assert.Equal(
            expected,
            Ot.Json("solve", _files["all.npz"] + ":a", _files.B, "--cost-matrix", _files["all.npz"] + ":c").Number("value")
        );
        Outcome piped = Ot.RunWithInput("0.4\n0.5\n0.1\n", "solve", _files.A, "-", "--cost-matrix", _files.C, "--json");
        Assert.Equal(expected, JsonDocument.Parse(piped.Output).RootElement.Number("value"));
    }

    [Fact]
    public void Iris_distance_is_the_root_of_the_cost()
    {
        string[] clouds = [Ot.Data("iris_setosa.csv"), Ot.Data("iris_virginica.csv")];
        JsonElement cost = Ot.Json(["solve", .. clouds]);
        JsonElement distance = Ot.Json(["distance", .. clouds]);
        // 23.0142: POT 0.8.2, ot.emd2 on the squared Euclidean cost of the same files.
        Assert.Equal(23.0142, cost.Number("value"), 1e-9);
        Assert.Equal(Math.Sqrt(cost.Number("value")), distance.Number("distance"), 1e-12);
        Assert.InRange(distance.Number("gap"), -1e-9, 1e-7);
    }

    [Fact]
    public void One_column_is_solved_on_the_line()
    {
        string x = _files.Write("x.csv", "0\n1\n5\n");
        string y = _files.Write("y.csv", "7\n2\n1\n");
        JsonElement report = Ot.Json("solve", x, y, "--cost", "euclidean");
        Assert.Equal("univariate", report.GetProperty("method").GetString());
        Assert.Equal((1 + 1 + 2) / 3.0, report.Number("value"), 1e-15);
    }

    [Fact]
    public void A_column_may_carry_the_weights()
    {
        string x = _files.Write("x.csv", "w,x,y\n0.75,0,0\n0.25,4,0\n");
        string y = _files.Write("y.csv", "x,w,y\n0,0.5,0\n4,0.5,0\n");
        Assert.Equal(0.25 * 16, Ot.Json("solve", x, y, "--weights-column", "w").Number("value"), 1e-14);
        string weights = _files.Write("w.csv", "0.75\n0.25\n");
        string z = _files.Write("z.csv", "0,0\n4,0\n");
        Assert.Equal(0.25 * 16, Ot.Json("solve", z, z, "--weights-source", weights).Number("value"), 1e-14);
    }

    [Fact]
    public void Float32SoftmaxMass()
    {
        // 1/3 in float, three times, misses 1 by 3e-8: within the slack of weights that came as floats.
        NpyFile.Write(_files["dummy.npy"], [0], 1);
        using (FileStream stream = File.Create(_files["w.npy"]))
            NpyFile.Write(stream, new NpyArray([1 / 3f, 1 / 3f, 1 / 3f], 3));
        string x = _files.Write("x.csv", "0,0\n1,0\n2,0\n");
        Assert.Equal(0, Ot.Json("solve", x, x, "--weights-source", _files["w.npy"]).Number("value"), 1e-6);
    }

    [Fact]
    public void ByteCeilingHonoured()
    {
        string line = Ot.Run("solve", Ot.Data("colours_china_5000.csv"), Ot.Data("colours_flower_5000.csv"), "--memory", "100K")
            .OnlyLine();
        Assert.Contains("needs about", line, StringComparison.Ordinal);
        Assert.Contains("100", line, StringComparison.Ordinal);
    }

    [Fact]
    public void ResumeEqualsStraight()
    {
        string[] common = ["--epsilon", "0.01", "--tolerance", "1e-12"];
        double straight = Ot.Json(_files.Args("solve", common)).Number("value");
        Outcome first = Ot.Run(
            _files.Args("solve", [.. common, "--max-iterations", "3", "--checkpoint", _files["k.npz"], "--json"])
        );
        Assert.Equal(1, first.Code);
        Assert.Equal("IterationLimit", JsonDocument.Parse(first.Output).RootElement.GetProperty("status").GetString());
        double resumed = Ot.Json(_files.Args("solve", [.. common, "--resume", _files["k.npz"]])).Number("value");
        Assert.Equal(straight, resumed, 1e-11);
    }

    [Fact]
    public void A_checkpoint_that_cannot_be_written_does_not_end_the_solve()
    {
        // As on a full disk, the file that would replace the old one cannot be made: there is a folder of its name.
        string old = _files.Write("k.npz", "an older state");
        Directory.CreateDirectory($"{old}.{Environment.ProcessId}.tmp");
        Outcome outcome = Ot.Run(
            _files.Args("solve", "--epsilon", "0.01", "--checkpoint", old, "--checkpoint-every", "0.000001")
        );
        Assert.Equal(0, outcome.Code);
        Assert.Contains("not written, and the one before is kept", outcome.OnlyLine(), StringComparison.Ordinal);
        Assert.Equal("an older state", File.ReadAllText(old));
    }

    [Fact]
    public void A_state_of_another_problem_is_refused()
    {
        Ot.Run(
            _files.Args(
                "solve",
                "--epsilon",
                "0.01",
                "--max-iterations",
                "3",
                "--tolerance",
                "1e-12",
                "--checkpoint",
                _files["k.npz"]
            )
        );
        string line = Ot.Run(_files.Args("solve", "--epsilon", "0.01", "--rho-source", "2", "--resume", _files["k.npz"]))
            .OnlyLine();
        Assert.Contains("other costs, weights or penalties", line, StringComparison.Ordinal);
    }

    [Fact]
    public void A_plan_by_somebody_else_is_judged()
    {
        // The product of the marginals: feasible, far from optimal.
        string plan = _files.Write("p.csv", string.Concat(Product()));
        Outcome alone = Ot.Run(_files.Args("certify", "--plan", plan));
        Assert.Equal(0, alone.Code);
        Assert.Contains("no bound", alone.Output, StringComparison.Ordinal);

        Ot.Run(_files.Args("solve", "--potentials", _files["fg.npz"]));
        Outcome judged = Ot.Run(_files.Args("certify", "--plan", plan, "--potentials", _files["fg.npz"], "--json"));
        Assert.Equal(1, judged.Code);
        Assert.Equal("NotCertified", JsonDocument.Parse(judged.Output).RootElement.GetProperty("status").GetString());

        string half = _files.Write("half.csv", "0,0,0.3\n1,1,0.4\n");
        Outcome missing = Ot.Run(_files.Args("certify", "--plan", half));
        Assert.Equal(1, missing.Code);
        Assert.Contains("misses its marginals", missing.Output, StringComparison.Ordinal);
    }

    static IEnumerable<string> Product()
    {
        double[] a = [.3, .4, .1, .1, .1];
        double[] b = [.4, .5, .1];
        for (int i = 0; i < a.Length; i++)
        {
            for (int j = 0; j < b.Length; j++)
                yield return FormattableString.Invariant($"{i},{j},{a[i] * b[j]:R}\n");
        }
    }

    [Fact]
    public void Real_digits_entropic_and_certified()
    {
        JsonElement report = Ot.Json(
            "solve",
            Ot.Data("digits_3.csv"),
            Ot.Data("digits_8.csv"),
            "--epsilon",
            "0.05",
            "--epsilon-scale",
            "mean"
        );
        Assert.StartsWith("certified", report.GetProperty("certificate").GetString(), StringComparison.Ordinal);
        Assert.InRange(report.Number("marginalError"), 0, 2e-6);
        // The bound of an exact cost from below, the rounded plan from above.
        Assert.True(report.Number("lowerBound") <= report.Number("feasibleTransportCost"));
    }

    [Fact]
    public void Potentials_file_holds_f_and_g()
    {
        Ot.Run(_files.Args("solve", "--potentials", _files["fg.npz"]));
        Assert.Equal(["f", "g"], NpzFile.Members(_files["fg.npz"]));
        Assert.Equal(5, NpzFile.Read(_files["fg.npz"], "f").Count);
        Assert.Equal(3, NpzFile.Read(_files["fg.npz"], "g").Count);
    }

    [Fact]
    public void A_plan_that_costs_nothing_is_certified()
    {
        string point = _files.Write("point.csv", "1,2\n3,4\n");
        JsonElement report = Ot.Json("solve", point, point, "--plan", _files["p.csv"], "--potentials", _files["q.npz"]);
        Assert.StartsWith("certified", report.GetProperty("certificate").GetString(), StringComparison.Ordinal);
        JsonElement judged = Ot.Json("certify", point, point, "--plan", _files["p.csv"], "--potentials", _files["q.npz"]);
        Assert.Equal("Certified", judged.GetProperty("status").GetString());
    }

    [Fact]
    public void A_run_that_was_stopped_is_bounded_and_not_certified()
    {
        Outcome outcome = Ot.Run(_files.Args("solve", "--epsilon", "0.01", "--max-iterations", "1", "--json"));
        Assert.Equal(1, outcome.Code);
        JsonElement report = JsonDocument.Parse(outcome.Output).RootElement;
        Assert.True(report.Number("gap") > 1e-3);
        Assert.StartsWith("bounded", report.GetProperty("certificate").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_exact_solve_runs_on_no_vector_back_end() =>
        Assert.Equal("managed", Ot.Json(_files.Args("solve")).GetProperty("backend").GetString());

    [Fact]
    public void A_file_that_cannot_be_written_leaves_no_report()
    {
        string folder = _files["folder.csv"];
        Directory.CreateDirectory(folder);
        Outcome outcome = Ot.Run(_files.Args("solve", "--plan", folder, "--json"));
        Assert.Equal(2, outcome.Code);
        Assert.Equal("", outcome.Output);
        outcome.OnlyLine();
    }

    [Theory]
    [InlineData("400", "0,0\n1,0\n0,1\n", "0.03,0.04\n1.03,0.04\n0.03,1.04\n", 0.05)]
    [InlineData("400", "0\n1\n", "0.05\n1.05\n", 0.05)]
    [InlineData("2", "0\n", "1e-170\n", 1e-170)]
    public void A_distance_whose_powers_underflow(string p, string source, string target, double expected)
    {
        JsonElement report = Ot.Json("distance", _files.Write("s.csv", source), _files.Write("t.csv", target), "--p", p);
        Assert.Equal(1, report.Number("distance") / expected, 1e-12);
        Assert.Contains("units of its own", report.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    public void Dispose() => _files.Dispose();
}
