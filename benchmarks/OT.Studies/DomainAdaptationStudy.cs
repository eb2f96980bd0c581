using System.Globalization;
using OT.Applications.DomainAdaptation;
using OT.Numerics;
using OT.Problems;
using OT.Visuals;

namespace OT.Studies;

/// <summary>Two moons, turned: how well does a classifier that only saw the ones do on the others, after its examples were moved? docs/theory/domain-adaptation.md.</summary>
sealed class DomainAdaptationStudy : TableStudy
{
    const double Noise = 0.1;

    static readonly int[] s_angles = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90];
    static readonly string[] s_methods = ["none", "exact", "sinkhorn", "gaussian", "linear", "exact, 5 labels"];

    public override string Name => "domain-adaptation";

    public override string Description => "Domain adaptation: two moons turned, nearest neighbours after the map";

    protected override void Run(StudyOutput output, bool isShort)
    {
        (int perClass, int tests, int draws) = isShort ? (40, 100, 2) : (150, 500, 10);
        output.Line($"# Domain adaptation");
        output.Line($"");
        output.Line(
            $"Made by `dotnet run -c Release --project benchmarks/OT.Studies -- domain-adaptation`. Every figure follows from seeds. Method: docs/theory/domain-adaptation.md."
        );
        output.Line($"");
        output.Line(
            $"Two half circles of radius 1, interleaved, noise {Noise}; the target's are turned about the centre of both. {perClass} points of each class in the source with their classes, as many in the target without; the source is moved by the map, and {2 * tests} other points of the target get the class of the nearest moved one. Share that is right, mean of {draws} draws. sinkhorn: ε = 0.02 of the mean cost. gaussian: the exact plan's displacements, smoothed. The last row knows the class of 5 target points of each."
        );
        output.Line($"");
        output.Row($"angle,method,draw,accuracy");
        var accuracy = new double[s_methods.Length, s_angles.Length];
        for (int angle = 0; angle < s_angles.Length; angle++)
        {
            for (int draw = 0; draw < draws; draw++)
            {
                double[] found = Accuracies(s_angles[angle], (ulong)draw, perClass, tests);
                for (int method = 0; method < found.Length; method++)
                {
                    accuracy[method, angle] += found[method] / draws;
                    output.Row($"{s_angles[angle]},\"{s_methods[method]}\",{draw},{found[method]:R}");
                }
            }
        }
        output.Line($"| degrees | {string.Join(" | ", s_angles)} |");
        output.Line($"|---|{string.Concat(Enumerable.Repeat("---|", s_angles.Length))}");
        for (int method = 0; method < s_methods.Length; method++)
            output.Line(
                $"| {s_methods[method]} | {string.Join(" | ", Row(accuracy, method).Select(share => share.ToString("F3", CultureInfo.InvariantCulture)))} |"
            );
        output.Line($"");
        Claims(output, accuracy);
        output.Picture(Picture(accuracy));
    }

    static void Claims(StudyOutput output, double[,] accuracy)
    {
        double[] none = Row(accuracy, 0),
            exact = Row(accuracy, 1),
            gaussian = Row(accuracy, 3),
            labelled = Row(accuracy, 5);
        bool Everywhere(int from, int to, Func<int, bool> holds) =>
            Enumerable.Range(0, s_angles.Length).Where(k => s_angles[k] >= from && s_angles[k] <= to).All(holds);
        output.Claim(
            Enumerable.Range(0, s_methods.Length).All(method => accuracy[method, 0] > 0.97),
            $"without a turn every map leaves at least 0.97 right"
        );
        output.Claim(
            Everywhere(60, 90, k => Enumerable.Range(1, s_methods.Length - 1).All(method => accuracy[method, k] > none[k] + 0.1)),
            $"from 60 degrees on every map is right in at least 0.1 more of the points than no map"
        );
        output.Claim(
            Everywhere(20, 30, k => exact[k] < none[k]) && Everywhere(20, 90, k => gaussian[k] > none[k]),
            $"at 20 and 30 degrees the images of the plan alone are worse than no map, for they follow the noise of the sample; smoothed, its displacements are better than none from 20 degrees on"
        );
        output.Claim(
            Everywhere(20, 50, k => gaussian[k] > exact[k]),
            $"from 20 to 50 degrees smoothing the exact plan's displacements helps"
        );
        output.Claim(
            labelled.Zip(exact).Average(pair => pair.First - pair.Second) > 0,
            $"five labels in each class help on the whole"
        );
    }

    static double[] Row(double[,] accuracy, int method) =>
        [.. Enumerable.Range(0, s_angles.Length).Select(angle => accuracy[method, angle])];

    static double[] Accuracies(int degrees, ulong draw, int perClass, int tests)
    {
        var random = new SeededRandom((draw << 8) + (ulong)degrees);
        (Matrix x, int[] labels) = Moons(perClass, 0, random);
        (Matrix y, int[] hidden) = Moons(perClass, degrees, random);
        (Matrix test, int[] truth) = Moons(tests, degrees, random);
        Domain source = new(x, labels),
            target = new(y);
        // The first of each class: points come in no order.
        var few = new Domain(y, [.. hidden.Select((label, i) => hidden[..i].Count(other => other == label) < 5 ? label : -1)]);
        var sinkhorn = PlanMaker.Sinkhorn(Epsilon.RelativeToMean(0.02));
        PlanMap exact = PlanMap.Fit(source, target, PlanMaker.Exact());
        Matrix[] moved =
        [
            x,
            exact.Images,
            PlanMap.Fit(source, target, sinkhorn).Images,
            PlanMap.Fit(source, target, PlanMaker.Exact(), new() { Extension = Extension.Gaussian }).Transform(x),
            LinearMap.Fit(source.Measure, target.Measure).Transform(x),
            PlanMap.Fit(source, few, PlanMaker.Exact()).Images,
        ];
        return Array.ConvertAll(moved, images => Right(images, labels, test, truth));
    }

    /// <summary>Interleaved half circles, turned about the middle between their centres.</summary>
    static (Matrix Points, int[] Labels) Moons(int perClass, int degrees, SeededRandom random)
    {
        int n = 2 * perClass;
        var points = new double[2 * n];
        var labels = new int[n];
        (double sin, double cos) = Math.SinCos(degrees * Math.PI / 180);
        for (int i = 0; i < n; i++)
        {
            labels[i] = i % 2;
            (double up, double along) = Math.SinCos(Math.PI * random.NextDouble());
            double x = (labels[i] == 0 ? along - 0.5 : 0.5 - along) + (Noise * random.NextNormal()),
                y = (labels[i] == 0 ? up - 0.25 : 0.25 - up) + (Noise * random.NextNormal());
            points[2 * i] = (cos * x) - (sin * y);
            points[(2 * i) + 1] = (sin * x) + (cos * y);
        }
        return (new Matrix(n, 2, points), labels);
    }

    /// <summary>Share of points whose nearest example has their class.</summary>
    static double Right(Matrix examples, int[] labels, Matrix points, int[] truth)
    {
        int right = 0;
        for (int i = 0; i < points.Rows; i++)
        {
            (double least, int nearest) = (double.PositiveInfinity, 0);
            for (int j = 0; j < examples.Rows; j++)
            {
                double x = points[i, 0] - examples[j, 0],
                    y = points[i, 1] - examples[j, 1];
                if ((x * x) + (y * y) < least)
                    (least, nearest) = ((x * x) + (y * y), j);
            }
            right += labels[nearest] == truth[i] ? 1 : 0;
        }
        return right / (double)points.Rows;
    }

    static string Picture(double[,] accuracy)
    {
        const double left = 76,
            right = 560,
            top = 60,
            bottom = 380;
        string[] dashes = ["2 3", "none", "7 4", "9 3 2 3", "12 3", "4 2"];
        var canvas = new SvgCanvas();
        const string title = "Two moons turned: share of the target that is classified right";
        canvas.Text(16, 30, title, "h");
        var across = new Axis(0, 90, left, right);
        var up = new Axis(0, 1, bottom, top);
        canvas.Below(across, top, bottom, "degrees", grid: true);
        canvas.Left(up, left, right, "share right", grid: true);
        double free = top;
        foreach (int method in Enumerable.Range(0, s_methods.Length).OrderByDescending(k => accuracy[k, s_angles.Length - 1]))
        {
            string path = string.Join(
                'L',
                s_angles.Select(
                    (angle, k) =>
                        string.Create(CultureInfo.InvariantCulture, $"{across.At(angle):0.##} {up.At(accuracy[method, k]):0.##}")
                )
            );
            canvas.Add($"""<path class="line" stroke-dasharray="{dashes[method]}" d="M{path}"/>""");
            free = Math.Max(free, up.At(accuracy[method, s_angles.Length - 1]) + 4);
            canvas.Text(right + 8, free, s_methods[method], "s");
            free += 14;
        }
        return canvas.Document(720, 440, title, "Curves of a study; the numbers are in the table beside.");
    }
}
